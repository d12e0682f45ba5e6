#!/usr/bin/env bash
# The drills as somebody has them who installed the package: from its wheel, in a folder called venv, with another
# current directory, an empty HOME and no checkout near. Usage: drills.sh PYTHON REPORTS SCENARIO...
set -euo pipefail
checkout=$(cd "$(dirname "$0")/../.." && pwd)
python=$1 reports=$(mkdir -p "$2" && cd "$2" && pwd)
shift 2
place=$(mktemp -d "${TMPDIR:-/tmp}/installed.XXXXXX")
trap 'rm -rf "$place"' EXIT
mkdir "$place/home" "$place/elsewhere"

"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps -w "$place" "$checkout"
wheel=$(echo "$place"/uscdr-*.whl)
"$python" "$checkout/tests/installed/complete.py" "$wheel" "$checkout"
"$python" -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$checkout/constraints.txt" "$wheel[sandbox]"

cd "$place/elsewhere"
# Two at a time, each with a HOME of its own: a drill waits for its sandbox as long as it works.
export place reports
drill() {
  mkdir "$place/home/$1"
  env -i HOME="$place/home/$1" PATH="$PATH" LANG="${LANG:-C.UTF-8}" \
    "$place/venv/bin/uscdr" drill "$1" --report "$reports" >"$place/$1.said" 2>&1 && code=0 || code=$?
  cat "$place/$1.said"
  return "$code"
}
export -f drill
printf '%s\n' "$@" | xargs -P 2 -I{} bash -c 'drill {}'
