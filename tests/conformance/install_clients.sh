#!/bin/sh
# Installs the official clients that the conformance suite drives into a directory (default: .clients).
# Usage: tests/conformance/install_clients.sh [DIRECTORY]
# Node.js and npm are taken from the system, or installed from its packages when run by root.
set -eu

HEROKU_VERSION=11.10.0
NODE_MAJOR=20

directory=${1:-.clients}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "node $NODE_MAJOR or newer and npm are needed: install them first" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends nodejs npm >/dev/null
fi
if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt "$NODE_MAJOR" ]; then
    echo "node $NODE_MAJOR or newer is needed, this is $(node --version)" >&2
    exit 1
fi

heroku=$directory/node_modules/.bin/heroku
package=$directory/node_modules/heroku/package.json
if [ ! -x "$heroku" ] || [ "$(node -p 'require(process.argv[1]).version' "$package")" != "$HEROKU_VERSION" ]; then
    npm install --prefix "$directory" --no-save --no-audit --no-fund --loglevel=error "heroku@$HEROKU_VERSION"
fi
echo "$heroku"
