#!/bin/sh
# Predicted against measured seconds of a sentence: full precision, uniform plans and Chung's, on the models given.
#
#     [ROUNDS=5] sh Scripts/compare_latency.sh OUT MODEL...
#
# What others do on a machine changes how fast its caches are, for minutes. So every round profiles anew (into the directory OUT), and then runs
# every plan of a model in alternation with the others, one thread, over random weights of its schemes; "undisturbed" is the median of
# ratios to a fixed piece of work done before and after. The table has the medians of the rounds, and the range of their differences.
# Rounds that OUT has are not made again.
set -eu
out=$1
shift
bitplan=${BITPLAN:-$(dirname "$0")/../.build/release/bitplan}
mkdir -p "$out"
for round in $(seq "${ROUNDS:-5}"); do
    profile=$out/$round.profile.json
    [ -e "$profile" ] || "$bitplan" profile --schemes fp32,bcq1..4,int8,emb4:r1 --output "$profile" > /dev/null
    place=0
    for model in "$@"; do
        place=$((place + 1)) result=$out/$round.$place.json
        [ -e "$result" ] && continue
        "$bitplan" cost "$model" --profile "$profile" --read 30 --generate 40 --measure --json \
            --plans fp32 bcq2 bcq3 bcq4 int8 chung > "$result.part"
        mv "$result.part" "$result"
    done
done
python3 - "$out" "${ROUNDS:-5}" "$@" <<'P'
import json, statistics, sys
out, rounds, models = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
for place, model in enumerate(models, 1):
    results = [json.load(open(f"{out}/{r}.{place}.json")) for r in range(1, rounds + 1)]
    print(f"\n{model}\n\n| plan | predicted, ms | measured | undisturbed | difference | in the rounds |\n|---|---:|---:|---:|---:|---:|")
    for plans in zip(*results):
        def median(key):
            return 1e3 * statistics.median(p[key] for p in plans)
        differences = [100 * (p["seconds"] / p["undisturbedSeconds"] - 1) for p in plans]
        print(f"| {plans[0]['name']} | {median('seconds'):.2f} | {median('measuredSeconds'):.2f} | {median('undisturbedSeconds'):.2f} "
              f"| {statistics.median(differences):+.1f}% | {min(differences):+.1f} to {max(differences):+.1f}% |")
P
