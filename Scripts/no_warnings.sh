#!/bin/sh
# Fails where the log of a clean build holds warnings about files of our own; those of dependencies are theirs.
# Usage: no_warnings.sh LOG
set -eu
cd "$(dirname "$0")/.."
log=${1:?usage: no_warnings.sh LOG}
[ -s "$log" ] || {
    echo "no_warnings: $log: expected the log of a build, got no such file or an empty one" >&2
    exit 1
}
warnings=$(grep -E "^($PWD/)?(Package\.swift|(Sources|Tests)/[^:]*):[0-9]+(:[0-9]+)?: warning: " "$log" | sort -u || true)
[ -z "$warnings" ] || {
    echo "$warnings" >&2
    echo "no_warnings: $(echo "$warnings" | wc -l) warnings in our own files, expected none" >&2
    exit 1
}
