#!/bin/sh
# Measures every scheme, uniform over a model: bytes, KL and BLEU of a translation model on its test sentences, and tokens/s of it and, where
# there is one, of a second model, in alternation. Prints Markdown; what a run has already written to OUT is not measured again.
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
int2:g64 int3:g64 int4:g64 int8:g64 nf4 nf4:dq tcq1 tcq2 tcq3 tcq4 pq:b8:k256 pq:b4:k256 index8 sign sign:mean bitlinear w8a8"}

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

echo "# Every scheme, uniform over a model"
echo
echo "By \`sh Scripts/measure_schemes.sh $(basename "$model") TRAIN_PREFIX OUT${second:+ $(basename "$second") SENTENCES}\` on $(grep -m1 'model name' /proc/cpuinfo 2> /dev/null | cut -d: -f2 | xargs || uname -m)."
echo "Model: $(basename "$model"); $(wc -l < "$model/data/test.en" | xargs) test sentences, greedy, at most 40 tokens; calibrated codes from 400 training pairs."
echo
echo "| scheme | codes | bytes | x smaller | KL | BLEU | chrF2 |"
echo "|---|---|---:|---:|---:|---:|---:|"
for entry in $schemes; do
    scheme=${entry%%/*} fit=calibrated
    case $entry in */*) fit=${entry##*/} ;; esac
    name=$(echo "$scheme-$fit" | tr ':' '-')
    pack "$model" "$scheme" "$fit" "$out/$name" "$train.en" "$train.de" 400
    [ -e "$out/$name.evaluation.json" ] || "$bitplan" evaluate "$out/$name" --data "$model/data/test.en" "$model/data/test.de" \
        --reference "$model" --threads 1 --max-length 40 --json > "$out/$name.part"
    [ -e "$out/$name.part" ] && mv "$out/$name.part" "$out/$name.evaluation.json"
    python3 - "$scheme" "$fit" "$out/$name" <<'P'
import json, sys
scheme, fit, path = sys.argv[1:]
r, size = json.load(open(path + ".evaluation.json")), json.load(open(path + ".json"))
print(f"| {scheme} | {fit} | {r['bytes']:,} | {size['fullPrecisionBytes'] / r['bytes']:.2f} | {r.get('kl') or 0:.4f} "
      f"| {r['bleu']:.2f} | {r['chrf2']:.2f} |", flush=True)
P
done

# Tokens/s of model $1 and its packed directories $2SCHEME$4, on sentences $3.
speed() {
    models=
    for entry in $schemes; do
        # Speed does not depend on how codes were fitted: one of both is enough.
        case $entry in */*|fp32) continue ;; esac
        models="$models --model $2$(echo "$entry" | tr ':' '-')$4"
    done
    # shellcheck disable=SC2086
    [ -e "$2speed.json" ] || "$bench" --model "$1" $models --data "$3" --sentences 16 --repetitions 1 --json > "$2speed.part"
    [ -e "$2speed.part" ] && mv "$2speed.part" "$2speed.json"
    echo
    echo "## Speed of $(basename "$1")"
    echo
    echo "16 sentences, 40 tokens each, one thread, the schemes in alternation. Ratios are of the same moment; how many sentences go together is the batch."
    echo
    python3 - "$2" "$4" <<'P'
import json, sys
prefix, suffix = sys.argv[1:]
records = json.load(open(prefix + "speed.json"))
full = records[0]["model"]
sizes = {r["model"]: json.load(open(r["model"] + ".json")) for r in records if r["model"] != full}
full_bytes = next(iter(sizes.values()))["fullPrecisionBytes"]
print("| scheme | bytes | x smaller | tokens/s, batch 1 | x FP32 | tokens/s, batch 16 | x FP32 |")
print("|---|---:|---:|---:|---:|---:|---:|")
for model in dict.fromkeys(r["model"] for r in records):
    size = full_bytes if model == full else sizes[model]["bytes"]
    cells = [f"{r['tokensPerSecond']:.0f} | {r['overFirst']:.2f}" for r in records if r["model"] == model]
    name = "fp32" if model == full else model[len(prefix):len(model) - len(suffix)].replace("-", ":")
    print(f"| {name} | {size:,} | {full_bytes / size:.2f} | " + " | ".join(cells) + " |")
P
}

speed "$model" "$out/" "$model/data/test.en" -calibrated
[ -n "$second" ] || exit 0
[ -e "$second/config.json" ] && [ -e "$sentences" ] || { echo "skipped: $second or $sentences is missing" >&2; exit 0; }
for entry in $schemes; do
    case $entry in */*|fp32) continue ;; esac
    # Clusters want token counts; any text does.
    pack "$second" "$entry" alternating "$out/second-$(echo "$entry" | tr ':' '-')" "$sentences" "$sentences" 200
done
speed "$second" "$out/second-" "$sentences" ""
