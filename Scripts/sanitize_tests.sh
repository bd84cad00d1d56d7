#!/bin/sh
# Runs Swift tests under sanitizers: those of the rooms that read files of others under the address sanitizer, in the build of `make fuzz`,
# and those of rooms that work on several threads under the thread sanitizer. A build of 10 minutes and more for each. Tests run one after the
# other: how Dispatch hands the memory of one to another the thread sanitizer does not see.
#
# usage: sanitize_tests.sh [address | thread]     (without an argument: both)
set -eu
cd "$(dirname "$0")/.."
# The runtime writes no trace of its own beside the sanitizer's.
SWIFT_BACKTRACE=enable=no
# What the libraries of the system leave allocated is theirs.
ASAN_OPTIONS=detect_leaks=0
export SWIFT_BACKTRACE ASAN_OPTIONS

run_under() { # sanitizer, filter, flags of the build
    sanitizer=$1
    filter=$2
    shift 2
    echo "tests of $filter under the $sanitizer sanitizer"
    swift build --build-tests "$@"
    swift test --skip-build --no-parallel "$@" --filter "$filter"
}

if [ "${1:-address}" = address ]; then
    flags=$(python3 Scripts/fuzz.py --flags)
    # shellcheck disable=SC2086
    run_under address 'TensorsTests|TokenizersTests|ModelsTests|KernelsTests|QuantizersTests|EncodingTests|MeasurementsTests|PlanFormatTests' \
        $flags
fi
if [ "${1:-thread}" = thread ]; then
    run_under thread 'TensorsTests|KernelsTests|EncodingTests|MeasurementsTests|SensitivityTests' \
        -c release --sanitize=thread --scratch-path .build-thread
fi
