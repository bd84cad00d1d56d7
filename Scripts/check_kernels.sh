#!/bin/sh
# Compiles every C kernel for this machine and, on Linux x86-64, for 64-bit ARM too: no output, warnings are errors.
set -eu
cd "$(dirname "$0")/../Sources/CKernels"
clang=$(dirname "$(command -v swift)")/clang
[ -x "$clang" ] || clang=clang

read_as() { # machine, further arguments
    machine=$1
    shift
    find . -name '*.c' | sort | while read -r unit; do
        "$clang" "$@" -O1 -Wall -Wextra -Werror -Iinclude -fsyntax-only "$unit" || {
            echo "check_kernels: $unit does not compile without warnings for $machine" >&2
            exit 1
        }
    done
    echo "C kernels: no warnings for $machine"
}

case "$(uname -sm)" in
"Linux x86_64")
    read_as x86-64
    read_as aarch64 --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include
    ;;
*)
    read_as "$(uname -m)"
    ;;
esac
