#!/bin/sh
# Runs Swift tests under sanitizers: those of the rooms that read files of others under the address sanitizer, and those of rooms that
# work on several threads under the thread sanitizer. One build of the tests for each, 10 minutes and more.
set -eu
cd "$(dirname "$0")/.."
# The runtime writes no trace of its own beside the sanitizer's.
SWIFT_BACKTRACE=enable=no
export SWIFT_BACKTRACE

run_under() { # sanitizer, filter
    echo "tests of $2 under the $1 sanitizer"
    swift build -c release --build-tests --sanitize="$1" --scratch-path ".build-$1"
    swift test -c release --skip-build --sanitize="$1" --scratch-path ".build-$1" --filter "$2"
}

# What the libraries of the system leave allocated is theirs.
ASAN_OPTIONS=detect_leaks=0
export ASAN_OPTIONS
run_under address 'TensorsTests|TokenizersTests|ModelsTests|KernelsTests|QuantizersTests|EncodingTests|MeasurementsTests|PlanFormatTests'
run_under thread 'TensorsTests|KernelsTests|EncodingTests|MeasurementsTests|SensitivityTests'
