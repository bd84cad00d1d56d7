#!/bin/sh
# Builds the library's documentation, where the toolchain has docc: a link that leads nowhere or a parameter without a word is an error.
#
# usage: check_documentation.sh [OUTPUT]
set -eu
cd "$(dirname "$0")/.."
output=${1:-.build/documentation}
command -v docc > /dev/null || { echo "skipped: the toolchain has no docc" >&2; exit 0; }
swift build -c release --target Bitplan
products=$(swift build -c release --show-bin-path)
triple=$(swift -print-target-info | python3 -c 'import json, sys; print(json.load(sys.stdin)["target"]["unversionedTriple"])')
symbols=$products/Bitplan.symbols
mkdir -p "$symbols"
maps=$(find Sources .build/checkouts/*/Sources "$products/" -maxdepth 2 -name module.modulemap | sed 's/^/-Xcc -fmodule-map-file=/')
# shellcheck disable=SC2086
swift symbolgraph-extract -module-name Bitplan -target "$triple" -I "$products/Modules" $maps -minimum-access-level public \
    -output-dir "$symbols"
docc convert Sources/Bitplan/Bitplan.docc --additional-symbol-graph-dir "$symbols" --warnings-as-errors \
    --fallback-display-name Bitplan --fallback-bundle-identifier bitplan --output-path "$output"
