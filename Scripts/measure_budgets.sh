#!/bin/sh
# Plans in context at several budgets beside uniform plans and presets: predicted and measured loss on the planning data, and KL and the
# task's metric on other data.
#
# usage: measure_budgets.sh MODEL OUT METRIC "PLAN FILES" "CHECK FILES" "PRESETS" SIZE...
# METRIC is its JSON name (bleu, accuracy, spearman, perplexity); a SIZE is as of `bitplan plan --size`, or @PRESET for that preset's bytes.
# In the environment: FIT (calibrated), EFFORT (as of `bitplan plan`), PLAN_LIMIT, CHECK_LIMIT, TEXT and TEXT_LIMIT (other calibration files), SCHEMES (bcq1..4).
set -eu
model=$1 out=$2 metric=$3 plan=$4 check=$5 presets=$6
shift 6
bitplan=${BITPLAN:-.build/release/bitplan}
fit=${FIT:-calibrated} schemes=${SCHEMES:-bcq1..4}
planning="--data $plan ${PLAN_LIMIT:+--limit $PLAN_LIMIT}"
checking="--data $check ${CHECK_LIMIT:+--limit $CHECK_LIMIT}"
calibration="" quantizing=$planning
if [ -n "${TEXT:-}" ]; then
    calibration="--calibration $TEXT ${TEXT_LIMIT:+--calibration-limit $TEXT_LIMIT}"
    quantizing="--data $TEXT ${TEXT_LIMIT:+--limit $TEXT_LIMIT}"
fi
mkdir -p "$out"
store="--store $out/measurements.sqlite"
# shellcheck disable=SC2086
[ -e "$out/table.json" ] || "$bitplan" sweep "$model" $planning $calibration $store --fit "$fit" --schemes "$schemes" \
    --output "$out/table.json" > "$out/table.md"

row() { # name, model or packed directory, result, plan or none
    # shellcheck disable=SC2086
    "$bitplan" evaluate "$2" $checking --reference "$model" --json > "$3"
    python3 - "$1" "$3" "$4" "$metric" <<'P'
import json, sys
name, result = sys.argv[1], json.load(open(sys.argv[2]))
predicted = measured = ""
if sys.argv[3] != "none":
    plan = json.load(open(sys.argv[3]))
    measured = f"{next(p for p in plan['measured'] if p['name'] == plan['name'])['klNats']:.4f}"
    if plan["predicted"].get("klNats") is not None:
        predicted = f"{plan['predicted']['klNats']:.4f}"
print(f"| {name} | {result['bytes']:,} | {predicted} | {measured} | {result['kl']:.4f} | {result[sys.argv[4]]:.4f} |", flush=True)
P
}

echo "| model ($fit codes) | bytes | KL predicted | KL measured | KL on other data | $metric there |"
echo "|---|---:|---:|---:|---:|---:|"
row "full precision" "$model" "$out/full.json" none
for preset in $presets; do
    # shellcheck disable=SC2086
    "$bitplan" quantize "$model" --preset "$preset" --fit "$fit" $quantizing --output "$out/$preset" > /dev/null
    row "$preset" "$out/$preset" "$out/$preset.json" none
done
for size; do
    name=$size
    case $size in @*) size=$(python3 -c "import json, sys; print(json.load(open(sys.argv[1]))['bytes'])" "$out/${size#@}.json")B ;; esac
    # shellcheck disable=SC2086
    "$bitplan" plan "$out/table.json" --size "$size" --model "$model" $planning $calibration $store ${EFFORT:+--effort "$EFFORT"} --output "$out/$size.plan.json" > "$out/$size.md"
    # shellcheck disable=SC2086
    "$bitplan" quantize "$model" --plan "$out/$size.plan.json" $quantizing --output "$out/$size" > /dev/null
    row "plan at $name" "$out/$size" "$out/$size.result.json" "$out/$size.plan.json"
done
