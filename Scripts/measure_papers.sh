#!/bin/sh
# What the papers' recipes reach on small real models, each part of SensiMix on and off. Prints the table of Reports/papers.md.
#
# usage: measure_papers.sh OUT > Reports/papers.md
# OUT keeps packed models, logs and results by name: a second run goes on from them.
# In the environment: BITPLAN, SHARED (../shared), CASES (all), STEPS (a number in place of every case's own, for a trial).
set -eu
work=$1
bitplan=${BITPLAN:-.build/release/bitplan}
shared=${SHARED:-../shared}
mkdir -p "$work"

# The output of a command as FILE, unless it is there: only when it is whole. $$: others may work in OUT.
kept() { # FILE COMMAND...
    file=$1
    shift
    [ -e "$file" ] || { "$@" > "$file.$$.part" && mv "$file.$$.part" "$file"; }
}
[ -e "$work/wikitext2.train.txt" ] || xz -dc "$shared/data/wikitext2.train.xz" > "$work/wikitext2.train.txt"
head -n 436 "$shared/data/sst2.dev.tsv" > "$work/sst2.plan.tsv"
tail -n 436 "$shared/data/sst2.dev.tsv" > "$work/sst2.check.tsv"

# row NAME METRIC MODEL PRESET "DATA AND SETTINGS" "CHECK" STEPS
row() {
    case " ${CASES:-$1} " in *" $1 "*) ;; *) return 0 ;; esac
    out=$work/$1
    # shellcheck disable=SC2086
    [ -e "$out.training.json" ] ||
        "$bitplan" tune "$3" --preset "$4" --fit calibrated $5 --steps "${STEPS:-$7}" --no-store --output "$out" > /dev/null
    # shellcheck disable=SC2086
    kept "$out.json" "$bitplan" evaluate "$out" --data $6 --reference "$3" --timed 0 --no-store --json
    python3 - "$1" "$2" "$4" "$out" <<'P'
import json, sys
name, metric, preset, out = sys.argv[1:]
log, result = json.load(open(f"{out}.training.json")), json.load(open(f"{out}.json"))
print(f"| {name} | {preset} | {result['bytes']:,} | {log['steps']:,} | {log['points'][-1]['cpuSeconds'] / 60:.1f} | {log['points'][0]['heldOut']:.3f} "
      f"| {result['kl']:.4f} | {result[metric]:.4g} |", flush=True)
P
}

cat <<'T'
# The papers' recipes

`Scripts/measure_papers.sh OUT` makes this table: plans by name, trained by `bitplan tune --recipe`, chosen by held-out text and measured on other text: the
classifier (83.0% in full precision) on 436 sentences, where accuracy has a standard error of 1.8 points, the language model (perplexity 72.0) on its test text.
Minutes are CPU minutes. One run each, one seed.

| case | plan | bytes | steps | CPU minutes | held-out KL at the start | KL | metric |
|---|---|---:|---:|---:|---:|---:|---:|
T
sst="Fixtures/sst2-bert sensimix:3+3"
data="--data $shared/data/sst2.train.tsv --held-out $work/sst2.plan.tsv"
check="$work/sst2.check.tsv"
# shellcheck disable=SC2086
for part in all abwr pt ilf "abwr pt ilf"; do
    name=sensimix-without-$(echo "$part" | tr ' ' -)
    settings="--without $part"
    [ "$part" != all ] || { name=sensimix settings=; }
    row "$name" accuracy $sst "$data --recipe sensimix $settings" "$check" 600
done
row sensimix-kl accuracy $sst "$data --recipe sensimix --objective kl" "$check" 600
for recipe in ipq "ipq --noise exact" "ipq --noise proxy" "quant-noise --noise exact" "quant-noise --noise proxy" "quant-noise --noise-rate 1" scales; do
    row "pq-$(echo "$recipe" | sed 's/quant-noise --noise-rate 1/all-blocks/; s/ --noise /-/')" accuracy Fixtures/sst2-bert ipq \
        "$data --recipe $recipe" "$check" 400
done
# Centroids and activations in 8 bits on top.
row pq-ipq-int8-a8 accuracy Fixtures/sst2-bert ipq:int8:a8 "$data --recipe ipq" "$check" 400
lm=$shared/models/wikitext-lm
text="--data $work/wikitext2.train.txt --held-out $lm/data/valid.txt --held-out-limit 60 --batch-size 8"
calibrated="$text --calibration $work/wikitext2.train.txt --calibration-limit 200"
for recipe in ipq "ipq --noise exact" "ipq --noise proxy"; do
    name=lm-pq-$(echo "$recipe" | sed 's/ --noise /-/')
    row "$name" perplexity "$lm" ipq "$calibrated --recipe $recipe" "$lm/data/test.txt" 400
    # Half of a run with noise is that noise: these quantize for as many steps as the shortest without.
    row "$name-1600" perplexity "$lm" ipq "$calibrated --recipe $recipe" "$lm/data/test.txt" 1600
done
row lm-pq-ipq-800 perplexity "$lm" ipq "$calibrated --recipe ipq" "$lm/data/test.txt" 800
row bitnet perplexity "$lm" bitlinear "$calibrated --recipe bitnet" "$lm/data/test.txt" 800
row binary-weights perplexity "$lm" bcq1:fp16 "$calibrated --recipe weights" "$lm/data/test.txt" 800

# pair NAME MODEL CHECK A B: A less B, on the same items.
pair() {
    case " ${CASES:-$1} " in *" $1 "*) ;; *) return 0 ;; esac
    [ -e "$work/$4.training.json" ] && [ -e "$work/$5.training.json" ] || return 0
    kept "$work/$1.pair.json" "$bitplan" evaluate "$work/$4" --against "$work/$5" --data "$3" --reference "$2" --timed 0 --no-store --json
    python3 - "$4" "$5" "$work/$1.pair.json" <<'P'
import json, sys
first, second, file = sys.argv[1:]
against = json.load(open(file))["against"]
def shown(difference):
    low, high = difference["interval"]
    return f"{difference['value']:+.3g} [{low:+.3g}, {high:+.3g}]" + ("" if low <= 0 <= high else " beyond noise")
print(f"| {first} less {second} | {shown(against['klNats'])} | {shown(against['metric'])} |", flush=True)
P
}
cat <<'T'

| same items, 95% intervals | KL | metric |
|---|---|---|
T
for part in exact proxy; do
    pair "pair-$part" Fixtures/sst2-bert "$check" "pq-ipq-$part" pq-ipq
    pair "lm-pair-$part" "$lm" "$lm/data/test.txt" "lm-pq-ipq-$part" lm-pq-ipq
    pair "lm-pair-$part-800" "$lm" "$lm/data/test.txt" "lm-pq-ipq-$part-1600" lm-pq-ipq-800
    pair "lm-pair-$part-1600" "$lm" "$lm/data/test.txt" "lm-pq-ipq-$part-1600" lm-pq-ipq-1600
done
pair pair-int8 Fixtures/sst2-bert "$check" pq-ipq-int8-a8 pq-ipq
pair pair-kinds Fixtures/sst2-bert "$check" pq-ipq-exact pq-ipq-proxy
pair lm-pair-kinds "$lm" "$lm/data/test.txt" lm-pq-ipq-exact lm-pq-ipq-proxy
pair lm-pair-kinds-1600 "$lm" "$lm/data/test.txt" lm-pq-ipq-exact-1600 lm-pq-ipq-proxy-1600
pair pair-signs "$lm" "$lm/data/test.txt" bitnet binary-weights

# From scratch: random weights of the language model's shape, as it is and with BitNet's norms inside sublayers, at larger and larger rates.
# scratch NAME LAYOUT PRESET RECIPE RATE STEPS
scratch() {
    case " ${CASES:-$1} " in *" $1 "*) ;; *) return 0 ;; esac
    case $2 in subln) norms=--subln ;; *) norms= ;; esac
    # shellcheck disable=SC2086
    [ -e "$work/fresh-$2/config.json" ] || python3 Scripts/make_random_model.py "$lm" "$work/fresh-$2" --same-size $norms > /dev/null
    out=$work/$1
    # shellcheck disable=SC2086
    [ -e "$out.training.json" ] ||
        "$bitplan" tune "$work/fresh-$2" --preset "$3" --fit greedy $text --recipe "$4" --objective labels --weight-rate "$5" \
            --steps "${STEPS:-$6}" --no-store --output "$out" > /dev/null 2> "$out.err" || tail -n 1 "$out.err" >&2
    python3 - "$@" "$out" <<'P'
import json, os, sys
name, layout, preset, recipe, rate, steps, out = sys.argv[1:]
if not os.path.exists(f"{out}.training.json"):
    sys.exit(print(f"| {name} | {layout} | {preset} | {rate} | {steps} | | ended without a result | | |", flush=True))
points = json.load(open(f"{out}.training.json"))["points"]
entropies = [p["heldOutCrossEntropy"] for p in points]
print(f"| {name} | {layout} | {preset} | {rate} | {points[-1]['step']} | {points[-1]['cpuSeconds'] / 60:.1f} | {entropies[len(entropies) // 2]:.2f} | {entropies[-1]:.2f} | {min(entropies):.2f} |", flush=True)
P
}
cat <<'T'

| from scratch | norms | weights | rate | steps | CPU minutes | held-out cross-entropy half-way | at the end | least |
|---|---|---|---:|---:|---:|---:|---:|---:|
T
for rate in 0.05 0.5 5; do
    scratch "scratch-full-$rate" plain fp32 weights "$rate" 300
    scratch "scratch-bitnet-$rate" subln bitlinear bitnet "$rate" 300
done
