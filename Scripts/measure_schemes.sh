#!/bin/sh
# Measures every scheme, uniform over a model: bytes, KL, BLEU and tokens/s of a translation model on its test sentences, and, with
# a second model, bytes and tokens/s of that one. Prints Markdown; what a run has already written to OUT is not measured again.
#
# usage: measure_schemes.sh [MODEL [TRAIN_PREFIX [OUT [SECOND_MODEL SENTENCES]]]]
# MODEL has data/test.{en,de}; TRAIN_PREFIX.{en,de} are training pairs; SENTENCES has sentences of SECOND_MODEL's source language.
# Translations end after 40 tokens: those of ruined models would run to the limit.
# Without arguments: ../shared/models/tatoeba-en-de and its training pairs, into .build/schemes.
set -eu
model=${1:-../shared/models/tatoeba-en-de} train=${2:-} out=${3:-.build/schemes} second=${4:-} sentences=${5:-}
bitplan=${BITPLAN:-.build/release/bitplan} bench=${BITPLAN_BENCH:-.build/release/bitplan-bench}
# SCHEMES: scheme and fit, one pair a word.
schemes=${SCHEMES:-"fp32 fp16
bcq1/alternating bcq2/alternating bcq3/alternating bcq4/alternating bcq1 bcq2 bcq3 bcq4 emb4:r1 emb4:r4 chung
int2 int3 int4 int5 int6 int7 int8 int2:asym int3:asym int4:asym int6:asym int8:asym
int2:g64 int3:g64 int4:g64 int8:g64 nf4 nf4:dq pq:b8:k256 pq:b4:k256 index8 sign sign:mean bitlinear w8a8"}

[ -e "$model/config.json" ] || { echo "skipped: $model is missing" >&2; exit 0; }
mkdir -p "$out"
if [ -z "$train" ]; then
    archive=$model/../../data/tatoeba-en-de.tar.xz
    [ -e "$archive" ] || { echo "skipped: $archive is missing" >&2; exit 0; }
    [ -e "$out/train.en" ] || tar -xJf "$archive" -C "$out" --strip-components=1
    train=$out/train
fi

# Packs model $1 as $2 by fit $3 into directory $4, the directory's bytes going to $4.json.
pack() {
    [ -e "$4/model.safetensors" ] && return
    "$bitplan" quantize "$1" --preset "$2" --fit "$3" ${5:+--data "$5" "$6" --limit "$7"} --output "$4" --json > "$4.json"
}

echo "| scheme | codes | bytes | x smaller | KL | BLEU | chrF2 | tokens/s |"
echo "|---|---|---:|---:|---:|---:|---:|---:|"
for entry in $schemes; do
    scheme=${entry%%/*} fit=calibrated
    case $entry in */*) fit=${entry##*/} ;; esac
    name=$(echo "$scheme-$fit" | tr ':' '-')
    pack "$model" "$scheme" "$fit" "$out/$name" "$train.en" "$train.de" 1000
    [ -e "$out/$name.evaluation.json" ] || "$bitplan" evaluate "$out/$name" --data "$model/data/test.en" "$model/data/test.de" \
        --reference "$model" --threads 1 --max-length 40 --json > "$out/$name.part"
    [ -e "$out/$name.part" ] && mv "$out/$name.part" "$out/$name.evaluation.json"
    python3 - "$scheme" "$fit" "$out/$name" <<'P'
import json, sys
scheme, fit, path = sys.argv[1:]
r, size = json.load(open(path + ".evaluation.json")), json.load(open(path + ".json"))
print(f"| {scheme} | {fit} | {r['bytes']:,} | {size['fullPrecisionBytes'] / r['bytes']:.2f} | {r.get('kl') or 0:.4f} "
      f"| {r['bleu']:.2f} | {r['chrf2']:.2f} | {r['tokensPerSecond']:.0f} |", flush=True)
P
done

[ -n "$second" ] || exit 0
[ -e "$second/config.json" ] && [ -e "$sentences" ] || { echo "skipped: $second or $sentences is missing" >&2; exit 0; }
echo
echo "| scheme | bytes | x smaller | tokens/s, batch 1 | x FP32 | tokens/s, batch 16 | x FP32 |"
echo "|---|---:|---:|---:|---:|---:|---:|"
for entry in $schemes; do
    # Speed does not depend on how codes were fitted: one of both is enough.
    case $entry in */*) continue ;; fp32) continue ;; esac
    name=second-$(echo "$entry" | tr ':' '-')
    if [ ! -e "$out/$name.bench.json" ]; then
        # Clusters want token counts; any text does.
        pack "$second" "$entry" alternating "$out/$name" "$sentences" "$sentences" 200
        "$bench" --model "$second" --model "$out/$name" --data "$sentences" --repetitions 1 --json > "$out/$name.part"
        mv "$out/$name.part" "$out/$name.bench.json"
    fi
    python3 - "$entry" "$out/$name" <<'P'
import json, sys
scheme, path = sys.argv[1:]
records, size = json.load(open(path + ".bench.json")), json.load(open(path + ".json"))
cells = [f"{r['tokensPerSecond']:.0f} | {r['overFirst']:.2f}" for r in records if r["model"] != records[0]["model"]]
print(f"| {scheme} | {size['bytes']:,} | {size['fullPrecisionBytes'] / size['bytes']:.2f} | " + " | ".join(cells) + " |", flush=True)
P
done
