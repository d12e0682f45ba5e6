#!/bin/sh
# Installs the official clients that the conformance suite drives into a directory (default: .clients).
# Usage: tests/conformance/install_clients.sh [DIRECTORY]
# npm is taken from the system, or installed from its packages when run by root. A Node.js that is too
# old for the client is not replaced: a newer one is put beside the client.
set -eu

HEROKU_VERSION=11.10.0
CLOUDINARY_VERSION=1.17.0
NODE_MAJOR=20 # the oldest that this version of the client takes
NODE_WANTED=22

directory=${1:-.clients}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
programs=$directory/node_modules/.bin

if ! command -v npm >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "npm is needed: install Node.js $NODE_MAJOR or newer first" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends nodejs npm >/dev/null
fi

install() {
    npm install --prefix "$directory" --no-audit --no-fund --loglevel=error "$@" >&2
}

version_of() {
    sed -n 's/^ *"version": "\([^"]*\)".*/\1/p' "$directory/node_modules/$1/package.json" 2>/dev/null | head -n 1
}

if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt "$NODE_MAJOR" ] && [ ! -x "$programs/node" ]; then
    install "node@$NODE_WANTED"
fi
if [ "$(version_of heroku)" != "$HEROKU_VERSION" ]; then
    install "heroku@$HEROKU_VERSION"
fi
# In an environment of its own: what the client needs is no dependency of ours.
if ! "$directory/cloudinary/bin/pip" show cloudinary-cli 2>/dev/null | grep -qx "Version: $CLOUDINARY_VERSION"; then
    "${PYTHON:-python3}" -m venv "$directory/cloudinary"
    "$directory/cloudinary/bin/pip" install --quiet --disable-pip-version-check \
        "cloudinary-cli==$CLOUDINARY_VERSION" >&2
fi
# The client writes to its HOME whatever it is asked.
HOME=$directory DISABLE_TELEMETRY=true HEROKU_SKIP_NEW_VERSION_CHECK=true \
    PATH=$programs:$PATH "$programs/heroku" --version >&2
echo "$programs/heroku"
