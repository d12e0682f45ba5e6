#!/bin/sh
# Installs from Debian's packages what the DNS suite runs for itself on high ports (BIND, its clients, and NSD), age,
# PgBouncer, and a PostgreSQL with ICU, which the tests start for themselves; and Chromium, which looks at pages.
# Needs root or a sudo that asks nothing. Without either nothing is installed, and those tests skip with the reason.
set -eu

PATH=$PATH:/usr/sbin:/sbin

if command -v named >/dev/null && command -v nsd >/dev/null && command -v nsupdate >/dev/null && command -v age >/dev/null &&
    command -v pgbouncer >/dev/null && command -v chromium >/dev/null &&
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "no apt-get: install BIND (named), NSD (nsd), age, pgbouncer, chromium and PostgreSQL to run the tests with them" >&2
    exit 0
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "not root, and sudo wants a password: the tests with BIND, NSD, age, PgBouncer, Chromium and PostgreSQL will skip" >&2
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
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends bind9 bind9-dnsutils nsd age pgbouncer postgresql chromium \
    fonts-liberation >/dev/null
named -v
