#!/bin/sh
# Plans beside the best uniform plan that fits, planned on some data and compared on other data, item by item: KL and the task's metric with
# 95% intervals of the paired differences, at five budgets for each of three models and at two for MiniLM. Prints Reports/gate.md.
#
# usage: measure_gate.sh OUT > Reports/gate.md
# OUT keeps tables, plans, packed models and measurements; a second run goes on from them.
# In the environment: BITPLAN, SHARED (../shared), EFFORT (as of `bitplan plan`), SCHEMES (the program's own candidates), FIT (curvature), LIMIT (items of
# every part of the data, for a trial), MODELS (tatoeba-en-de sst2-bert wikitext-lm minilm-l6),
# MINILM (as ../shared/tools/fetch_minilm.py lays it out; left out without it).
set -eu
work=$1
bitplan=${BITPLAN:-.build/release/bitplan}
shared=${SHARED:-../shared}
fit=${FIT:-curvature}

# section MODEL "PLAN FILES" LIMIT "CHECK FILES" LIMIT SIZE...
section() {
    name=${1##*/} model=$1 out=$work/${1##*/} planning="--data $2 --limit ${LIMIT:-$3}" checking="--data $4 --limit ${LIMIT:-$5}"
    shift 5
    mkdir -p "$out"
    store="--store $out/measurements.sqlite"
    # shellcheck disable=SC2086
    [ -e "$out/table.json" ] || "$bitplan" sweep "$model" $planning $store ${SCHEMES:+--schemes "$SCHEMES"} \
        --fit "$fit" --output "$out/table.json" > "$out/table.md"
    printf '\n## %s\n\n' "$name"
    echo "| budget | written | bytes | uniform | bytes | KL | uniform's | difference | metric | uniform's | difference |"
    echo "|---|---|---:|---|---:|---:|---:|---:|---:|---:|---:|"
    for size; do
        # shellcheck disable=SC2086
        "$bitplan" plan "$out/table.json" --size "$size" --model "$model" $planning $store ${EFFORT:+--effort "$EFFORT"} \
            --output "$out/$size.plan.json" > "$out/$size.md"
        # The uniform plan that fits and has the least KL on the planning data.
        uniform=$(python3 - "$out/$size.plan.json" <<'P'
import json, sys
plan = json.load(open(sys.argv[1]))
# What others are compared with; alone where nothing else was measured.
names = [p["against"]["name"] for p in plan["measured"] if "against" in p] + [plan["name"]]
print(names[0].split()[-1])
P
        )
        # shellcheck disable=SC2086
        "$bitplan" quantize "$model" --plan "$out/$size.plan.json" $planning $store --output "$out/$size" > /dev/null
        # shellcheck disable=SC2086
        [ -e "$out/uniform-$uniform" ] ||
            "$bitplan" quantize "$model" --preset "$uniform" --fit "$fit" $planning $store \
                --output "$out/uniform-$uniform" > /dev/null
        # shellcheck disable=SC2086
        "$bitplan" evaluate "$out/$size" --against "$out/uniform-$uniform" $checking $store --reference "$model" --timed 0 --json \
            > "$out/$size.json"
        python3 - "$size" "$out/$size.plan.json" "$out/$size.json" "$uniform" <<'P'
import json, sys
size, uniform = sys.argv[1], sys.argv[4]
plan, result = (json.load(open(file)) for file in sys.argv[2:4])
against = result["against"]
name = result["signature"].split("|")[0].lower()
other = next(p for p in plan["measured"] if "against" not in p)

def row(key, value, digits):
    """Ours, the other's, and the difference with its interval and a word where it is beyond noise."""
    difference = against[key]
    text = f"{difference['value']:+.{digits}f}"
    low, high = difference.get("interval", (None, None))
    if low is not None:
        text += f" [{low:+.{digits}f}, {high:+.{digits}f}]"
        is_better = high < 0 if key == "klNats" or name == "perplexity" else low > 0
        text += " better" if is_better else "" if low <= 0 <= high else " **worse**"
    return f"{value:.{digits}f} | {value - difference['value']:.{digits}f} | {text}"

digits = 2 if name in ("bleu", "perplexity") else 4
print(f"| {size} | {plan['name']} | {result['bytes']:,} | {uniform} | {other['bytes']:,} "
      f"| {row('klNats', result['kl'], 4)} | {row('metric', result[name], digits)} |", flush=True)
P
    done
    planned=$(python3 -c "import json, sys; print(json.load(open(sys.argv[1]))['provenance']['sentences'])" "$out/table.json")
    checked=$(python3 -c "import json, sys; print(json.load(open(sys.argv[1]))['sentences'])" "$out/$1.json")
    printf '\nPlanned on %s items, measured on %s others.\n' "$planned" "$checked"
}

cat <<T
# Plans against uniform ones, beyond noise

\`\`\`
${MODELS:+MODELS='$MODELS' }${SCHEMES:+SCHEMES='$SCHEMES' }${EFFORT:+EFFORT=$EFFORT }${FIT:+FIT=$FIT }${LIMIT:+LIMIT=$LIMIT }sh Scripts/measure_gate.sh OUT > Reports/gate.md
\`\`\`

At each budget a plan is made on some items, with codes that are calibrated on the same ones, and measured on others beside the best uniform
plan that fits (by KL on the planning items). Differences are plan less uniform, with 95% intervals: of KL from the differences of the items, of
the metric from a paired bootstrap. Where an interval leaves out 0 it says better or worse.
T
for model in ${MODELS:-tatoeba-en-de sst2-bert wikitext-lm minilm-l6}; do
    data=$shared/models/$model/data
    case $model in
    tatoeba-en-de)
        section Fixtures/tatoeba-en-de "$data/val.en $data/val.de" 200 "$data/test.en $data/test.de" 500 \
            657786B 792954B 925000B 1144896B 1322000B ;;
    sst2-bert)
        mkdir -p "$work"
        head -n 436 "$shared/data/sst2.dev.tsv" > "$work/sst2.plan.tsv"
        tail -n 436 "$shared/data/sst2.dev.tsv" > "$work/sst2.check.tsv"
        section Fixtures/sst2-bert "$work/sst2.plan.tsv" 436 "$work/sst2.check.tsv" 436 20x 16x 14x 12x 10x ;;
    wikitext-lm)
        section "$shared/models/wikitext-lm" "$data/valid.txt" 60 "$data/test.txt" 150 300000B 350000B 400000B 489472B 600000B ;;
    minilm-l6)
        minilm=${MINILM:-$HOME/.cache/bitplan-models/minilm-l6}
        [ -e "$minilm/config.json" ] || continue
        mkdir -p "$work"
        head -n 400 "$shared/data/stsb.dev.tsv" > "$work/stsb.plan.tsv"
        tail -n 1100 "$shared/data/stsb.dev.tsv" > "$work/stsb.check.tsv"
        # Every plan in context would encode 22.6 M weights.
        EFFORT=${EFFORT:-0} section "$minilm" "$work/stsb.plan.tsv" 200 "$work/stsb.check.tsv" 1100 6173584B 9197400B
        python3 - "$work/${minilm##*/}" 6173584B 9197400B <<'P'
import json, sys
plans = [json.load(open(f"{sys.argv[1]}/{size}.plan.json")) for size in sys.argv[2:]]
own = [next(m["klNats"] for m in plan["measured"] if m["name"] == plan["name"]) for plan in plans]
print(f"\nCodes are fitted on the planning pairs too, 400 short sentences: on these KL is {own[0]:.4f} and {own[1]:.4f}.")
P
        # Plans of the same table, their codes fitted to text of another kind, and more of it.
        out=$work/${minilm##*/} news=$shared/data/newstest2019.zh-en.en
        printf '\nCodes of plans from the same table and of uniform `tcq3`, fitted on 1,500 sentences of English news instead:\n\n'
        echo "| plan | bytes | KL | Spearman |"
        echo "|---|---:|---:|---:|"
        for size in 9197400B 12x tcq3; do
            plan="--preset $size --fit $fit"
            [ "$size" = tcq3 ] || plan="--plan $out/$size.plan.json"
            [ "$size" = tcq3 ] || [ -e "$out/$size.plan.json" ] || "$bitplan" plan "$out/table.json" --size "$size" --output "$out/$size.plan.json" > /dev/null
            # shellcheck disable=SC2086
            [ -e "$out/$size-news" ] || "$bitplan" quantize "$minilm" $plan --data "$news" --limit "${LIMIT:-1500}" --no-store \
                --output "$out/$size-news" > /dev/null
            "$bitplan" evaluate "$out/$size-news" --data "$work/stsb.check.tsv" --limit "${LIMIT:-1100}" --reference "$minilm" --no-store --timed 0 --json \
                > "$out/$size-news.json"
            python3 - "$size" "$out/$size-news.json" <<'P'
import json, sys
result = json.load(open(sys.argv[2]))
print(f"| {sys.argv[1]} | {result['bytes']:,} | {result['kl']:.4f} | {result['spearman']:.4f} |")
P
        done
        "$bitplan" evaluate "$minilm" --data "$work/stsb.check.tsv" --limit "${LIMIT:-1100}" --no-store --timed 0 --json |
            python3 -c 'import json, sys; print("\nFull precision has", "%.4f." % json.load(sys.stdin)["spearman"])'
        ;;
    *) echo "measure_gate.sh: no data for $model" >&2; exit 1 ;;
    esac
done
