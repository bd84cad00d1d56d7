#!/bin/sh
# Runs the C kernels under the address and undefined-behaviour sanitizers: all schemes of all instruction sets that this machine
# has, at sizes where blocks end early, on memory of exactly the bytes that they may touch, at odd addresses.
set -eu
cd "$(dirname "$0")/.."
clang=$(dirname "$(command -v swift)")/clang
[ -x "$clang" ] || clang=clang
build=.build/kernel-sanitizers
mkdir -p "$build"
sanitize="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined"

# Kernels add the numbers of several loops: one file's compilation takes as long as all others', so they are compiled apart, and
# only those that are newer than their object.
newest=$(find Sources/CKernels -name '*.h' -newer "$build/stamp" 2>/dev/null | head -1)
[ -e "$build/stamp" ] && [ -z "$newest" ] || rm -f "$build"/*.o
find Sources/CKernels -name '*.c' | sort | while read -r unit; do
    object=$build/$(basename "$unit" .c).o
    [ -e "$object" ] && [ "$object" -nt "$unit" ] || echo "$unit $object"
done | xargs -r -P "$(getconf _NPROCESSORS_ONLN)" -L 1 sh -c "$clang $sanitize -ISources/CKernels/include -c \$0 -o \$1"
touch "$build/stamp"
for program in kernel_agreement kernel_edges; do
    "$clang" $sanitize -Wall -Wextra -Werror -ISources/CKernels/include "Tests/KernelAgreement/$program.c" "$build"/*.o -lm \
        -o "$build/$program" 2>&1 | grep -v 'Cannot export local symbol' || true
done
ASAN_OPTIONS=detect_leaks=1
export ASAN_OPTIONS
case $("$build/kernel_agreement") in
amx) sets="portable avx2 avx512 amx" ;;
avx512) sets="portable avx2 avx512" ;;
avx2) sets="portable avx2" ;;
neoni8mm) sets="portable neon neondot neoni8mm" ;;
neondot) sets="portable neon neondot" ;;
neon) sets="portable neon" ;;
*) sets=portable ;;
esac
for set in $sets; do "$build/kernel_agreement" "$set"; done
"$build/kernel_edges"
