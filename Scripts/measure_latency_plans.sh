#!/bin/sh
# Plans for a time: at the milliseconds that uniform bcq3 takes on this machine, the plan under --latency beside it, in KL on data that
# neither planning nor calibration saw and in measured time. Prints a table of Reports/latency.md.
#
# usage: measure_latency_plans.sh OUT
# OUT keeps the profile, tables, plans and results: a second run goes on from them. In the environment: BITPLAN, SHARED (../shared), ROUNDS (9: of a measurement of time),
# REPEATS (5: measurements, whose medians are shown).
set -eu
work=$1
bitplan=${BITPLAN:-.build/release/bitplan}
shared=${SHARED:-../shared}
mkdir -p "$work"
profile=$work/profile.json
[ -e "$profile" ] || "$bitplan" profile --quick --output "$profile" > /dev/null

# section MODEL "PLANNING DATA" "CHECK DATA"
section() {
    out=$work/${1##*/} model=$1
    mkdir -p "$out"
    # shellcheck disable=SC2086
    [ -e "$out/table.json" ] || "$bitplan" sweep "$model" --data $2 --store "$out/store.sqlite" --output "$out/table.json" > /dev/null
    # Tokens of the mean item that times of plans are predicted for.
    item=$(python3 -c 'import json, sys; w = json.load(open(sys.argv[1]))["workload"]; print("--read", w["read"], "--generate", w["predictions"])' "$out/table.json")
    # shellcheck disable=SC2086
    [ -e "$out/limit.json" ] || { "$bitplan" cost "$model" --profile "$profile" --plans bcq3:fp16 $item --measure --rounds "${ROUNDS:-9}" --json \
        > "$out/limit.part" && mv "$out/limit.part" "$out/limit.json"; }
    limit=$(python3 -c 'import json, sys; print("%.4fms" % (1e3 * json.load(open(sys.argv[1]))[0]["undisturbedSeconds"]))' "$out/limit.json")
    [ -e "$out/timed.plan.json" ] || "$bitplan" plan "$out/table.json" --profile "$profile" --latency "$limit" --output "$out/timed.plan.json" > /dev/null
    for repeat in $(seq "${REPEATS:-5}"); do
        # shellcheck disable=SC2086
        "$bitplan" cost "$model" --profile "$profile" --plans "$out/timed.plan.json" bcq3:fp16 $item --measure --rounds "${ROUNDS:-9}" --json > "$out/times.$repeat.json"
    done
    for plan in timed uniform; do
        start="--preset bcq3:fp16 --fit curvature"
        [ $plan = uniform ] || start="--plan $out/timed.plan.json"
        # shellcheck disable=SC2086
        [ -e "$out/$plan" ] || "$bitplan" quantize "$model" $start --data $2 --store "$out/store.sqlite" --output "$out/$plan" > /dev/null
        # shellcheck disable=SC2086
        "$bitplan" evaluate "$out/$plan" --reference "$model" --data $3 --store "$out/store.sqlite" --timed 0 --json > "$out/$plan.json"
    done
    python3 - "${1##*/}" "$out" "$limit" "${REPEATS:-5}" <<'P'
import json, statistics, sys
name, out, limit, repeats = sys.argv[1:]
runs = [json.load(open(f"{out}/times.{repeat + 1}.json")) for repeat in range(int(repeats))]
ratios = [plan["undisturbedSeconds"] / uniform["undisturbedSeconds"] for plan, uniform in runs]
for place, plan in enumerate(("timed", "uniform")):
    seconds = statistics.median(run[place]["undisturbedSeconds"] for run in runs)
    ratio = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})" if place == 0 else "1"
    result = json.load(open(f"{out}/{plan}.json"))
    print(f"| {name} | {'plan within ' + limit if plan == 'timed' else 'uniform bcq3:fp16'} | {result['bytes']:,} | {1e3 * runs[0][place]['seconds']:.3f} "
          f"| {1e3 * seconds:.3f} | {ratio} | {result['kl']:.4f} |", flush=True)
P
}

echo "| model | plan | bytes | predicted, ms an item | undisturbed | over uniform | KL |"
echo "|---|---|---:|---:|---:|---:|---:|"
data=$shared/models/tatoeba-en-de/data
section Fixtures/tatoeba-en-de "$data/val.en $data/val.de --limit 200" "$data/test.en $data/test.de --limit 500"
data=$shared/models/wikitext-lm/data
section "$shared/models/wikitext-lm" "$data/valid.txt --limit 60" "$data/test.txt --limit 150"
