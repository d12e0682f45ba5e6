#!/usr/bin/env bash
# The program as `uv tool install` puts it: from its wheel, into an empty HOME, without a compiler on the PATH. With every
# extra a drill passes; without any, each command works or names its extra before it changes anything, and with the command
# that it prints the extra is there. Usage: tool.sh PYTHON UV REPORTS
set -euo pipefail
checkout=$(cd "$(dirname "$0")/../.." && pwd)
absolute() { echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"; } # not resolved: the place of an interpreter matters
python=$(absolute "$1") uv=$(absolute "$2") reports=$(mkdir -p "$3" && cd "$3" && pwd)
place=$(mktemp -d "${TMPDIR:-/tmp}/installed.XXXXXX")
trap 'rm -rf "$place"' EXIT
mkdir "$place/home" "$place/elsewhere" "$place/bin"

"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps -w "$place" "$checkout"
wheel=$(echo "$place"/uscdr-*.whl)

# Nothing that compiles: the usual programs by name, and no others.
for name in sh bash env cat ls id ps uname git less man gzip tar sed grep mktemp rm mkdir locale getconf python3; do
  if found=$(command -v "$name"); then ln -s "$found" "$place/bin/$name"; fi
done
ln -s "$uv" "$place/bin/uv"
# How this machine reaches an index: the same for uv as for pip.
network=()
for pair in SSL_CERT_FILE=PIP_CERT UV_DEFAULT_INDEX=PIP_INDEX_URL UV_INDEX=PIP_EXTRA_INDEX_URL UV_FIND_LINKS=PIP_FIND_LINKS \
  HTTPS_PROXY=HTTPS_PROXY HTTP_PROXY=HTTP_PROXY NO_PROXY=NO_PROXY https_proxy=https_proxy no_proxy=no_proxy; do
  name=${pair%=*} other=${pair#*=}
  value=${!name:-${!other:-}}
  if [ -n "$value" ]; then network+=("$name=$value"); fi
done
run() {
  env -i HOME="$place/home" PATH="$place/home/.local/bin:$place/bin" LANG="${LANG:-C.UTF-8}" "${network[@]}" "$@"
}
refuses() { # what it says, the extra, the command...
  local extra=$1 said
  shift
  if said=$(run "$@" 2>&1); then echo "tool.sh: worked without the extra $extra: $*" >&2; exit 1; fi
  case "$said" in
    *"“$extra”"*"uv tool install --force "*"[$extra]'"*) ;;
    *) printf 'tool.sh: does not name the extra %s: %s\n%s\n' "$extra" "$*" "$said" >&2; exit 1 ;;
  esac
}

cd "$place/elsewhere"
run uv tool install --quiet --no-build --python "$python" --constraints "$checkout/constraints.txt" "$wheel"
for words in --version "docs kit" "docs --search lease" "runs list" "self uninstall" "verify --list" "runbook db"; do
  run uscdr $words >/dev/null
done
refuses sandbox uscdr sandbox up
refuses sandbox uscdr drill db
refuses vault uscdr kit list --to s3://safe-of-ours
test -z "$(ls -A "$place/home/.local/state" 2>/dev/null)"

# What it prints can be pasted.
said=$(run uscdr kit list --to s3://safe-of-ours 2>&1 || true)
run sh -c "$(printf '%s\n' "$said" | sed -n 's/.*\(uv tool install --force .*\)/\1/p')"
said=$(run uscdr kit list --to s3://safe-of-ours 2>&1 || true)
case "$said" in *AWS_ACCESS_KEY_ID*) ;; *) printf 'tool.sh: the extra is still missing:\n%s\n' "$said" >&2; exit 1 ;; esac

run uv tool install --quiet --force --no-build --python "$python" --constraints "$checkout/constraints.txt" "${wheel}[all]"
run uscdr drill db --patients 40 --report "$reports"
page=$(echo "$place"/home/.local/share/uv/tools/uscdr/share/man/man1/uscdr-recover.1)
test -s "$page"
test "$(run uscdr self uninstall | tail -n 1)" = "To remove the program itself: uv tool uninstall uscdr"
run uv tool uninstall --quiet uscdr
echo "uv tool install: a drill passes with every extra, and each extra that is missing is named."
