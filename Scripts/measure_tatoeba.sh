#!/bin/sh
# Measures uniform plans, Chung's preset and plans in context at the same bytes on a translation model: planned on the first
# validation sentences, codes calibrated on training sentences, checked on the test sentences.
#
# usage: measure_tatoeba.sh MODEL TRAIN_PREFIX OUT [LANGUAGES] [PLAN_LIMIT] [CALIBRATION_LIMIT]
# MODEL has data/{val,test}.{en,de}; TRAIN_PREFIX.{en,de} are training pairs.
set -eu
model=$1 train=$2 out=$3 source=${4:-en} target=de plan=${5:-300} text=${6:-1000}
bitplan=${BITPLAN:-.build/release/bitplan}
mkdir -p "$out"
[ -e "$out/table.json" ] || "$bitplan" sweep "$model" --data "$model/data/val.$source" "$model/data/val.$target" --limit "$plan" \
    --calibration "$train.$source" "$train.$target" --calibration-limit "$text" --schemes bcq1..6 --store "$out/store.sqlite" --output "$out/table.json" > "$out/table.md"

row() { # name, packed directory
    "$bitplan" evaluate "$2" --data "$model/data/test.$source" "$model/data/test.$target" --reference "$model" --json > "$out/$1.json"
    python3 - "$1" "$out/$1.json" <<'P'
import json, sys
r = json.load(open(sys.argv[2]))
print(f"| {sys.argv[1]} | {r['bytes']:,} | {r['bleu']:.2f} | {r['chrf2']:.2f} | {r.get('kl', 0):.4f} | {r['tokensPerSecond']:.0f} |", flush=True)
P
}

echo "| model | bytes | BLEU | chrF2 | KL | tokens/s |"
echo "|---|---:|---:|---:|---:|---:|"
row full-precision "$model"
for preset in bcq2 bcq3 bcq4 chung; do
    "$bitplan" quantize "$model" --preset "$preset" --fit calibrated --data "$train.$source" "$train.$target" --limit "$text" \
        --output "$out/$preset" --json > "$out/$preset.size"
    row "$preset" "$out/$preset"
    bytes=$(python3 -c "import json; print(json.load(open('$out/$preset.size'))['bytes'])")
    "$bitplan" plan "$out/table.json" --size "${bytes}B" --model "$model" --data "$model/data/val.$source" "$model/data/val.$target" \
        --limit "$plan" --calibration "$train.$source" "$train.$target" --calibration-limit "$text" \
        --store "$out/store.sqlite" --output "$out/at-$preset.plan.json" > "$out/at-$preset.md"
    "$bitplan" quantize "$model" --plan "$out/at-$preset.plan.json" --data "$train.$source" "$train.$target" --limit "$text" \
        --output "$out/at-$preset" > /dev/null
    row "plan-at-$preset" "$out/at-$preset"
done
