#!/bin/sh
# Installs from Debian's packages what the DNS suite runs for itself on high ports (BIND, its clients, and NSD), age,
# PgBouncer, and a PostgreSQL with ICU, which the tests start for themselves; Chromium, which looks at pages; and zsh,
# fish, man, groff and mandoc, which complete commands and show manual pages.
# Needs root or a sudo that asks nothing. Without either nothing is installed, and those tests skip with the reason.
set -eu

PATH=$PATH:/usr/sbin:/sbin

found=yes
for program in named nsd nsupdate age pgbouncer chromium zsh fish man groff lexgrog mandoc; do
    command -v $program >/dev/null || found=no
done
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || found=no
if [ $found = yes ]; then
    exit 0
fi
tests="the tests with BIND, NSD, age, PgBouncer, Chromium, zsh, fish, man, groff, mandoc and PostgreSQL"
if ! command -v apt-get >/dev/null; then
    echo "no apt-get: $tests skip where the program is not installed" >&2
    exit 0
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "not root, and sudo wants a password: $tests will skip" >&2
        exit 0
    fi
    as_root=sudo
fi

# The packages would start a server on port 53; the suite starts its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
    trap '$as_root rm -f $policy' EXIT
fi
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
    bind9 bind9-dnsutils nsd age pgbouncer postgresql chromium fonts-liberation zsh fish mandoc man-db groff-base >/dev/null
named -v
