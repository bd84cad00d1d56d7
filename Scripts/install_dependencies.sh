#!/bin/sh
# Installs the system packages that bitplan builds with, where they are missing. With `python`: what its checks need too.
set -eu

run() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=""
need() { # package, test that it is there
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

if [ "$(uname)" = Darwin ]; then
    need pkg-config command -v pkg-config
    need sentencepiece pkg-config --exists sentencepiece
    need openssl@3 pkg-config --exists libcrypto
    [ -z "$missing" ] || brew install $missing
    exit 0
fi

header() { [ -e "/usr/include/$1" ] || ls /usr/include/*/"$1"; }
need pkg-config command -v pkg-config
need libsentencepiece-dev header sentencepiece_processor.h
need libsqlite3-dev header sqlite3.h
need libssl-dev header openssl/evp.h
if [ "${1:-}" = python ]; then need python3-venv python3 -c "import venv, ensurepip"; fi
[ -z "$missing" ] && exit 0
command -v apt-get >/dev/null 2>&1 || {
    echo "missing:$missing; install them with your package manager (only apt and brew are known here)" >&2
    exit 1
}
echo "installing:$missing"
run apt-get update -qq
run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
