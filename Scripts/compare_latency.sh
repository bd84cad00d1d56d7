#!/bin/sh
# Predicted against measured seconds of a sentence: full precision, uniform plans and Chung's, on the models given.
#
#     sh Scripts/compare_latency.sh PROFILE MODEL...
#
# Makes PROFILE where there is none. Every plan of a model is run in alternation with the others, one thread, over random weights of its
# schemes; "undisturbed" is the median of ratios to a fixed piece of work done before and after, which others' work on the machine
# slows down as well.
set -eu
profile=$1
shift
bitplan=$(dirname "$0")/../.build/release/bitplan
[ -e "$profile" ] || "$bitplan" profile --schemes fp32,bcq1..4,int8,emb4:r1 --output "$profile"
for model in "$@"; do
    echo "$model"
    "$bitplan" cost "$model" --profile "$profile" --read 30 --generate 40 --measure \
        --plans fp32 bcq2 bcq3 bcq4 int8 chung
done
