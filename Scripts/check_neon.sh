#!/bin/sh
# Compares the NEON kernels, with and without products of bytes, with the portable ones: on 64-bit ARM itself, and on
# Linux x86-64 in the emulator qemu-user. With a scheme and a shape it counts instructions a weight instead, which
# are all of one token's product, its preparation included:
#
#     sh Scripts/check_neon.sh [SCHEME ROWS COLUMNS]
set -eu
cd "$(dirname "$0")/.."
clang=$(dirname "$(command -v swift)")/clang
[ -x "$clang" ] || clang=clang
build=.build/kernel-agreement
program=$build/kernel_agreement
mkdir -p "$build"

run=""
compile="$clang"
start="" end="-lm"
case "$(uname -sm)" in
"Linux x86_64")
    # No GNU compiler for ARM is needed: its C library's own files begin and end a program.
    root=/usr/aarch64-linux-gnu
    run="qemu-aarch64 -L $root"
    compile="$clang --target=aarch64-linux-gnu -isystem $root/include"
    start="-fuse-ld=lld -nostdlib -no-pie -Wl,-dynamic-linker,/lib/ld-linux-aarch64.so.1 $root/lib/crt1.o $root/lib/crti.o"
    end="-L$root/lib -lm -lc $root/lib/crtn.o"
    ;;
"Linux aarch64" | "Darwin arm64") ;;
*)
    echo "check_neon: expected Linux on x86-64 or 64-bit ARM, or macOS on the latter, got $(uname -sm)" >&2
    exit 1
    ;;
esac
# shellcheck disable=SC2086
$compile -O2 -Wall -Wextra -Werror -ISources/CKernels/include $start Tests/KernelAgreement/kernel_agreement.c \
    $(find Sources/CKernels -name '*.c' | sort) $end -o "$program"

if [ $# = 0 ]; then
    for set in neon neondot neoni8mm; do $run "$program" "$set"; done
    # The first of these processors has no products of bytes, the second one dot products, the last one all.
    for choice in cortex-a72:neon neoverse-n1:neondot max:neoni8mm; do
        [ -n "$run" ] || continue
        widest=$($run -cpu "${choice%:*}" "$program")
        [ "$widest" = "${choice#*:}" ] || {
            echo "check_neon: ${choice%:*}: expected the widest set to be ${choice#*:}, got $widest" >&2
            exit 1
        }
    done
    exit 0
fi
[ $# = 3 ] && [ -n "$run" ] || {
    echo "check_neon: expected SCHEME ROWS COLUMNS, and an emulator to count in" >&2
    exit 64
}
# The emulator takes one instruction at a time and says so; what one product more takes is one product.
executed() { # set, times
    $run -singlestep -d exec,nochain -D /dev/stdout "$program" "$1" "$scheme" "$rows" "$columns" "$2" | wc -l
}
scheme=$1 rows=$2 columns=$3
for set in portable neon neondot; do
    echo "$set $(executed $set 1) $(executed $set 2)" |
        awk -v w="$((rows * columns))" '{ printf "%-9s %.3f instructions a weight\n", $1, ($3 - $2) / w }'
done
