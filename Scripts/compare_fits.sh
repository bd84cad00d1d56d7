#!/bin/sh
# One-sided and two-sided fits of the same codes: KL and the metric on data that codes were not fitted on.
# Prints the table of Reports/fits.md.
#
# usage: compare_fits.sh OUT > Reports/fits.md
# OUT keeps packed models and results. In the environment: BITPLAN, SHARED (../shared).
set -eu
work=$1
bitplan=${BITPLAN:-.build/release/bitplan}
shared=${SHARED:-../shared}
mkdir -p "$work"
[ -e "$work/ta-en-de/train.en" ] || tar -xJf "$shared/data/tatoeba-en-de.tar.xz" -C "$work"
[ -e "$work/wikitext2.train.txt" ] || xz -dc "$shared/data/wikitext2.train.xz" > "$work/wikitext2.train.txt"

# row MODEL SCHEME METRIC "FITTED ON" "CHECKED ON"
row() {
    name=${1##*/}
    for fit in calibrated curvature; do
        out=$work/$name-$(echo "$2" | tr : -)-$fit
        # shellcheck disable=SC2086
        [ -e "$out.json" ] || {
            "$bitplan" quantize "$1" --preset "$2" --fit "$fit" --data $4 --no-store --json --output "$out" > "$out.seconds.json"
            "$bitplan" evaluate "$out" --data $5 --reference "$1" --timed 0 --no-store --json > "$out.part"
            mv "$out.part" "$out.json"
        }
    done
    python3 - "$name" "$2" "$3" "$work/$name-$(echo "$2" | tr : -)" <<'P'
import json, sys
name, scheme, metric, stem = sys.argv[1:]
one, two = (json.load(open(f"{stem}-{fit}.json")) for fit in ["calibrated", "curvature"])
print(f"| {name} | {scheme} | {one['bytes']:,} | {one['kl']:.5f} | {two['kl']:.5f} | {100 * (two['kl'] / one['kl'] - 1):+.1f}% "
      f"| {one[metric]:.4g} | {two[metric]:.4g} |", flush=True)
P
}

cat <<'T'
# Fits by the curvature of both sides

`Scripts/compare_fits.sh OUT` makes this table: one scheme for all sublayers, codes fitted (`quantize --fit`) on 1,000 items, or 1,000 windows, of training
text, and measured on others. `calibrated` weighs errors by what a layer's inputs are, `curvature` also by what predictions make of its outputs.

| model | scheme | bytes | KL, calibrated | curvature | | metric, calibrated | curvature |
|---|---|---:|---:|---:|---:|---:|---:|
T
translation="$work/ta-en-de/train.en $work/ta-en-de/train.de --limit 1000"
check="$work/ta-en-de/test.en $work/ta-en-de/test.de --limit 500"
for scheme in tcq2 tcq3 bcq2:fp16 int3:g32; do row Fixtures/tatoeba-en-de "$scheme" bleu "$translation" "$check"; done
for scheme in tcq2 tcq3 bcq2:fp16; do
    row "$shared/models/wikitext-lm" "$scheme" perplexity "$work/wikitext2.train.txt --limit 1000" "$shared/models/wikitext-lm/data/test.txt"
done
for scheme in tcq2 bcq2:fp16; do
    row Fixtures/sst2-bert "$scheme" accuracy "$shared/data/sst2.train.tsv --limit 1000" "$shared/data/sst2.dev.tsv"
done
