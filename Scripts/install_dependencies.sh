#!/bin/sh
# Installs the system packages that bitplan builds with, where they are missing, and says before which ones.
# Arguments add what else is needed: `python` for the checks that Python makes, `arm` for the C kernels' checks for 64-bit ARM.
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
    [ -z "$missing" ] && exit 0
    command -v brew >/dev/null 2>&1 || {
        echo "missing:$missing; install them, for example by Homebrew (https://brew.sh)" >&2
        exit 1
    }
    echo "installing with brew, as they are missing:$missing"
    brew install $missing
    exit 0
fi

need pkg-config command -v pkg-config
need libsentencepiece-dev pkg-config --exists sentencepiece
need libsqlite3-dev pkg-config --exists sqlite3
need libssl-dev pkg-config --exists libcrypto
for extra in "$@"; do
    case $extra in
    python) need python3-venv python3 -c "import venv, ensurepip" ;;
    arm)
        [ "$(uname -m)" = aarch64 ] && continue
        need libc6-dev-arm64-cross [ -e /usr/aarch64-linux-gnu/include/math.h ]
        need qemu-user command -v qemu-aarch64
        ;;
    *)
        echo "install_dependencies: unknown argument '$extra', expected python or arm" >&2
        exit 64
        ;;
    esac
done
[ -z "$missing" ] && exit 0
command -v apt-get >/dev/null 2>&1 || {
    echo "missing:$missing; install them with your package manager (only apt and brew are known here)" >&2
    exit 1
}
echo "installing with apt-get, as they are missing:$missing"
run apt-get update -qq
run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
