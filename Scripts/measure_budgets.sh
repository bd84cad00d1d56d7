#!/bin/sh
# Plans in context at several budgets beside the uniform plans of the same bytes: predicted and measured loss on the planning data, and
# KL and BLEU on test sentences that no plan has seen.
#
# usage: measure_budgets.sh MODEL OUT FIT PLAN_LIMIT SIZE... ; for calibrated codes TRAIN_PREFIX names training pairs.
# MODEL has data/{val,test}.{en,de}; the first 500 test sentences are used. A SIZE is as of `bitplan plan --size`.
set -eu
model=$1 out=$2 fit=$3 limit=$4
shift 4
bitplan=${BITPLAN:-.build/release/bitplan}
text=""
[ "$fit" != calibrated ] || text="--calibration $TRAIN_PREFIX.en $TRAIN_PREFIX.de --calibration-limit 1000"
quantizing=""
[ "$fit" != calibrated ] || quantizing="--data $TRAIN_PREFIX.en $TRAIN_PREFIX.de --limit 1000"
val="--data $model/data/val.en $model/data/val.de --limit $limit"
mkdir -p "$out"
store="--store $out/measurements.sqlite"
# shellcheck disable=SC2086
[ -e "$out/table.json" ] || "$bitplan" sweep "$model" $val $text $store --fit "$fit" --no-groups --schemes bcq1..4 \
    --output "$out/table.json" > "$out/table.md"

row() { # name, packed directory, plan or none
    "$bitplan" evaluate "$2" --data "$model/data/test.en" "$model/data/test.de" --limit 500 --reference "$model" --json > "$2.json"
    python3 - "$1" "$2.json" "$3" <<'P'
import json, sys
name, result = sys.argv[1], json.load(open(sys.argv[2]))
predicted = measured = ""
if sys.argv[3] != "none":
    plan = json.load(open(sys.argv[3]))
    measured = f"{plan['measured'][0]['klNats']:.4f}"
    if plan["predicted"].get("klNats") is not None:
        predicted = f"{plan['predicted']['klNats']:.4f}"
print(f"| {name} | {result['bytes']:,} | {predicted} | {measured} | {result['kl']:.4f} | {result['bleu']:.2f} |", flush=True)
P
}

echo "| model ($fit codes) | bytes | KL predicted | KL measured | KL on test | BLEU on test |"
echo "|---|---:|---:|---:|---:|---:|"
# shellcheck disable=SC2086
for bits in 2 3 4; do
    "$bitplan" quantize "$model" --preset "bcq$bits" --fit "$fit" $quantizing --output "$out/bcq$bits" > /dev/null
    row "uniform bcq$bits" "$out/bcq$bits" none
done
# shellcheck disable=SC2086
for size; do
    "$bitplan" plan "$out/table.json" --size "$size" --model "$model" $val $text $store --output "$out/$size.plan.json" > "$out/$size.md"
    "$bitplan" quantize "$model" --plan "$out/$size.plan.json" $quantizing --output "$out/$size" > /dev/null
    row "plan at $size" "$out/$size" "$out/$size.plan.json"
done
