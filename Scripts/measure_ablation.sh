#!/bin/sh
# What each part of planning gains alone: the translation model under scalar codes, planned with everything and with one part off at a time, at two
# budgets, and the CPU seconds of a sweep under candidates of before and of now. Prints Reports/ablation.md.
#
# usage: measure_ablation.sh OUT > Reports/ablation.md
# OUT keeps tables, plans, packed models, measurements and times; a second run goes on from them.
# In the environment: BITPLAN, SHARED (../shared), EFFORT (30, as of `bitplan plan`) of everything and PART_EFFORT (0) of the other rows, TEXT_LIMIT (1000
# training pairs that codes are fitted on), PLAN_LIMIT (200 pairs to plan on), CHECK_LIMIT (500 others to check on).
set -eu
work=$1
bitplan=${BITPLAN:-.build/release/bitplan}
shared=${SHARED:-../shared}
effort=${EFFORT:-30} part_effort=${PART_EFFORT:-0}
model=Fixtures/tatoeba-en-de
data=$shared/models/tatoeba-en-de/data
mkdir -p "$work"
[ -e "$work/ta-en-de/train.en" ] || tar -xJf "$shared/data/tatoeba-en-de.tar.xz" -C "$work"
train="$work/ta-en-de/train.en $work/ta-en-de/train.de"
text="--data $train --limit ${TEXT_LIMIT:-1000}"
planning="--data $data/val.en $data/val.de --limit ${PLAN_LIMIT:-200} --calibration $train --calibration-limit ${TEXT_LIMIT:-1000}"
checking="--data $data/test.en $data/test.de --limit ${CHECK_LIMIT:-500}"
store="--store $work/measurements.sqlite"
sizes="925000 1144896"
scalar=bcq1:fp16,bcq2:fp16,int3:fp16,bcq3:fp16,nf4:b128:dq,int5:fp16,int6:fp16

# sweep NAME SCHEMES UNIT
sweep() {
    # shellcheck disable=SC2086
    [ -e "$work/$1.table.json" ] || "$bitplan" sweep $model $planning $store --schemes "$2" --unit "$3" --no-groups \
        --output "$work/$1.table.json" > /dev/null
}

# row NAME TABLE WHAT [PLAN OPTION...]: a plan at each size, packed and compared with that of everything.
row() {
    name=$1 table=$work/$2.table.json what=$3 results=""
    shift 3
    for size in $sizes; do
        out=$work/$name.$size
        # shellcheck disable=SC2086
        [ -e "$out.json" ] || {
            "$bitplan" plan "$table" --size "${size}B" --model $model $planning $store "$@" --output "$out.plan.json" > "$out.md"
            "$bitplan" quantize $model --plan "$out.plan.json" $text $store --output "$out" > /dev/null
            against=""
            [ "$name" = all ] || against="--against $work/all.$size"
            "$bitplan" evaluate "$out" $against $checking $store --reference $model --no-own --timed 0 --json > "$out.part"
            mv "$out.part" "$out.json"
        }
        results="$results $out.json"
    done
    # shellcheck disable=SC2086
    python3 - "$what" $results <<'P'
import json, sys
cells = []
for file in sys.argv[2:]:
    result, plan = (json.load(open(f)) for f in (file, file.replace(".json", ".plan.json")))
    rounds = plan.get("rounds") or []
    cells += [f"{result['bytes']:,}", f"{result['kl']:.4f}"]
    difference = (result.get("against") or {}).get("klNats")
    if difference is None:
        cells.append("")
    elif difference["value"] == 0:
        cells.append("the same")
    else:
        low, high = difference["interval"]
        word = "" if low <= 0 <= high else " better" if high < 0 else " worse"
        cells.append(f"{difference['value']:+.4f} [{low:+.4f}, {high:+.4f}]{word}")
    cells.append(f"{result['bleu']:.2f}")
    cells.append(f"{sum(r['isAccepted'] for r in rounds)} of {len(rounds)}")
print(f"| {sys.argv[1]} | {' | '.join(cells)} |", flush=True)
P
}

# seconds NAME COMMAND...: CPU seconds of all threads.
seconds() {
    name=$1
    shift
    [ -e "$work/$name.seconds" ] || python3 - "$work/$name.seconds" "$@" <<'P'
import os, resource, subprocess, sys
with open(os.devnull, "w") as null:
    subprocess.run(sys.argv[2:], check=True, stdout=null)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    file.write(f"{used.ru_utime + used.ru_stime:.1f}")
P
    cat "$work/$name.seconds"
}

cat <<T
# What each part of planning gains

\`\`\`
${EFFORT:+EFFORT=$EFFORT }${PART_EFFORT:+PART_EFFORT=$PART_EFFORT }${TEXT_LIMIT:+TEXT_LIMIT=$TEXT_LIMIT }${PLAN_LIMIT:+PLAN_LIMIT=$PLAN_LIMIT }${CHECK_LIMIT:+CHECK_LIMIT=$CHECK_LIMIT }sh Scripts/measure_ablation.sh OUT > Reports/ablation.md
\`\`\`

The English-German model of \`Fixtures/\`, scalar codes alone, so that what stands here is the planner's and not that of trellis codes. Codes are
fitted on ${TEXT_LIMIT:-1,000} training pairs, plans are made on ${PLAN_LIMIT:-200} validation pairs, KL (nats a prediction) and BLEU are those of ${CHECK_LIMIT:-500} test pairs, which neither
has seen. "Against" is KL less that of everything, item by item, with its 95% interval; "rounds" are whole plans that the search measured, and how
many of them it took.

"Everything" is \`--schemes $scalar,emb3:r1:fp16,emb4:r2:fp16\`, whole sublayers, vectors in FP16 or FP32, search
(\`--effort $effort\`) and gate. Each other row changes what it names; those below the second are planned with \`--effort $part_effort\`.

| | bytes | KL | against | BLEU | taken of rounds | bytes | KL | against | BLEU | taken of rounds |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
T
sweep all "$scalar,emb3:r1:fp16,emb4:r2:fp16" sublayer
row all all "everything" --effort "$effort"
row effort0 all "no search (\`--effort 0\`)" --effort 0
row vectors all "vectors in FP32 (\`--pin Vectors=fp32\`)" --effort "$part_effort" --pin Vectors=fp32
sweep noclusters "$scalar" sublayer
row noclusters noclusters "no clusters for the embedding" --effort "$part_effort"
sweep fp32 "bcq1,bcq2,int3,bcq3,nf4:b128:dq,int5,int6,emb3:r1,emb4:r2" sublayer
row fp32 fp32 "scales in FP32" --effort "$part_effort"
sweep matrix "$scalar,emb3:r1:fp16,emb4:r2:fp16" matrix
row matrix matrix "single matrices (\`--unit matrix\`)" --effort "$part_effort"
sweep before "bcq1..4" sublayer
row before before "binary codes, scales and vectors in FP32" --effort "$part_effort" --pin Vectors=fp32

echo
python3 - "$work" $sizes <<'P'
import json, sys
# What would have been written if a smaller metric than that of the best uniform plan, by however little, were an objection.
print("The gate, from what the plans of everything record of the planning items: a strict gate writes the plan of least KL whose BLEU is not below")
print("that of the best uniform plan.\n")
print("| budget | written | KL | by the strict gate | KL |\n|---:|---|---:|---|---:|")
for size in sys.argv[2:]:
    plan = json.load(open(f"{sys.argv[1]}/all.{size}.plan.json"))
    written = next(p for p in plan["measured"] if p["name"] == plan["name"])
    least = 0
    for other in plan["measured"]:
        if "against" not in other:
            least = other["metric"]
    strict = next(p for p in sorted(plan["measured"], key=lambda p: p["klNats"]) if p["metric"] >= least)
    print(f"| {int(size):,} | {written['name']} | {written['klNats']:.4f} | {strict['name']} | {strict['klNats']:.4f} |")
P

cat <<'T'

## What was predicted

Of every round above, before it was measured: a KL, and an interval that is to hold in 95 of 100 cases. A plan that is the optimum of the summed losses
has a prediction too, without an interval.

T
python3 - "$work" <<'P'
import glob, json, sys
rounds, starts = [], []
for file in sorted(glob.glob(f"{sys.argv[1]}/*.plan.json")):
    plan = json.load(open(file))
    rounds += [r for r in plan.get("rounds") or [] if "predictedInterval" in r]
    if plan["name"] == "sum of losses":
        measured = next(p for p in plan["measured"] if p["name"] == plan["name"])
        starts.append(measured["klNats"] / plan["predicted"]["klNats"] - 1)
inside = sum(r["predictedInterval"][0] <= r["measuredKL"] <= r["predictedInterval"][1] for r in rounds)
off = sorted(abs(r["measuredKL"] / r["predictedKL"] - 1) for r in rounds)
if rounds:
    print(f"- {inside} of {len(rounds)} rounds were measured inside their intervals; half were within "
          f"{100 * off[len(off) // 2]:.1f}% of their predictions, all within {100 * off[-1]:.1f}%.")
if starts:
    print(f"- {len(starts)} plans are sums of losses; they measured {100 * min(starts):+.1f}% to {100 * max(starts):+.1f}% off what was predicted.")
P

cat <<'T'

## Time of a sweep

CPU seconds, user and system of all threads, of commands without a store on the planning pairs, which codes are fitted on here too. The first row has
the candidates that `sweep` took where none were named before FP16 scales; types and stacks are measured beside sublayers, as a sweep does unless
told not to. The default candidates are pruned once, not in every sweep: estimates (`--signal fisher`) of 14 schemes said which lie on the hull of
bytes and loss of some sublayer ([Reports/budgets.md](budgets.md)).

| candidates | sublayers alone | of the first | with types and stacks | of the first |
|---|---:|---:|---:|---:|
T
# time_row NAME WHAT SCHEMES
time_row() {
    plain="$model --data $data/val.en $data/val.de --limit ${PLAN_LIMIT:-200} --no-store --schemes $3"
    # shellcheck disable=SC2086
    alone=$(seconds "$1.alone" "$bitplan" sweep $plain --no-groups)
    # shellcheck disable=SC2086
    groups=$(seconds "$1.groups" "$bitplan" sweep $plain)
    first_alone=${first_alone:-$alone} first_groups=${first_groups:-$groups}
    python3 - "$2" "$alone" "$first_alone" "$groups" "$first_groups" <<'P'
import sys
what, *numbers = sys.argv[1:]
alone, first, groups, first_groups = map(float, numbers)
print(f"| {what} | {alone:.1f} | {alone / first:.2f}x | {groups:.1f} | {groups / first_groups:.2f}x |", flush=True)
P
}
time_row before.time "before: \`bcq1..4\`" bcq1..4
time_row scalar.time "everything above, 9 scalar candidates" "$scalar,emb3:r1:fp16,emb4:r2:fp16"
time_row auto.time "now: \`auto\`, trellis codes among them" auto
