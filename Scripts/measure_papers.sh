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
    [ -e "$out.json" ] || "$bitplan" evaluate "$out" --data $6 --reference "$3" --timed 0 --no-store --json > "$out.json"
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
for recipe in ipq "quant-noise --noise exact" "quant-noise --noise proxy" "quant-noise --noise-rate 1" scales; do
    row "pq-$(echo "$recipe" | sed 's/quant-noise --noise-rate 1/all-blocks/; s/ --noise /-/')" accuracy Fixtures/sst2-bert ipq \
        "$data --recipe $recipe" "$check" 400
done
lm=$shared/models/wikitext-lm
text="--data $work/wikitext2.train.txt --held-out $lm/data/valid.txt --held-out-limit 60 --batch-size 8"
row bitnet perplexity "$lm" bitlinear "$text --recipe bitnet" "$lm/data/test.txt" 800
row binary-weights perplexity "$lm" bcq1:fp16 "$text --recipe weights" "$lm/data/test.txt" 800
