#!/bin/sh
# The newest release in CHANGELOG.md is the version that the program gives.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/.*let version = "\(.*\)".*/\1/p' Sources/Workflows/Version.swift)
released=$(sed -n 's/^## \[\([0-9][^]]*\)\].*/\1/p' CHANGELOG.md | head -n 1)
if [ -z "$version" ] || [ "$version" != "$released" ]; then
    echo "CHANGELOG.md: newest release '$released', expected '$version' as in Sources/Workflows/Version.swift" >&2
    exit 1
fi
