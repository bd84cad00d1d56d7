#!/bin/sh
# What training wins back under a plan: KL and the task's metric before and after, on data that neither planning nor training saw.
# Prints Reports/tuning.md.
#
# usage: measure_tuning.sh OUT > Reports/tuning.md
# OUT keeps plans, packed models, logs and results by name: a second run goes on from them.
# In the environment: BITPLAN, SHARED (../shared), CASES (all), STEPS (a number in place of every case's own, for a trial).
# The translation model's plans are made here, too, as `bitplan plan` makes them (about half an hour).
set -eu
work=$1
bitplan=${BITPLAN:-.build/release/bitplan}
shared=${SHARED:-../shared}
mkdir -p "$work"
[ -e "$work/ta-en-de/train.en" ] || tar -xJf "$shared/data/tatoeba-en-de.tar.xz" -C "$work"
[ -e "$work/wikitext2.train.txt" ] || xz -dc "$shared/data/wikitext2.train.xz" > "$work/wikitext2.train.txt"

# The plan of a budget for the translation model: swept and planned on 200 sentence pairs, calibrated on 1,000 others.
translation=Fixtures/tatoeba-en-de
plan() { # SCHEMES SIZE
    name=$work/$1-$2 text="$work/ta-en-de/train.en $work/ta-en-de/train.de"
    planning="--data $work/ta-en-de/val.en $work/ta-en-de/val.de --limit 200 --calibration $text --calibration-limit 1000 --store $work/store.sqlite"
    # shellcheck disable=SC2086
    [ -e "$work/$1.table.json" ] || "$bitplan" sweep "$translation" $planning --schemes "$1" --output "$work/$1.table.json" > /dev/null
    # shellcheck disable=SC2086
    [ -e "$name.plan.json" ] || "$bitplan" plan "$work/$1.table.json" --size "$2" --model "$translation" $planning --output "$name.plan.json" > /dev/null
}

# row NAME METRIC MODEL "START" "DATA" "HELD-OUT" "CALIBRATION" "CHECK" "RECIPE AND SETTINGS" STEPS
row() {
    name=$1 metric=$2 model=$3 start=$4 data=$5 heldout=$6 calibration=$7 check=$8 settings=$9
    shift 9
    case " ${CASES:-$name} " in *" $name "*) ;; *) return 0 ;; esac
    steps=${STEPS:-$1}
    out=$work/$name
    # shellcheck disable=SC2086
    [ -e "$out.training.json" ] ||
        "$bitplan" tune "$model" $start --data $data --held-out $heldout --calibration $calibration $settings --steps "$steps" --no-store --output "$out" > /dev/null
    # shellcheck disable=SC2086
    [ -e "$out.before.json" ] || {
        # One step whose rates are 0 leaves the codes as they are fitted.
        "$bitplan" tune "$model" $start --data $data --held-out $heldout --calibration $calibration --recipe scales --rate 0 --vector-rate 0 --steps 1 \
            --no-store --output "$out-before" > /dev/null
        "$bitplan" evaluate "$out-before" --data $check --reference "$model" --timed 0 --no-store --json > "$out.before.json"
    }
    # shellcheck disable=SC2086
    [ -e "$out.after.json" ] || "$bitplan" evaluate "$out" --data $check --reference "$model" --timed 0 --no-store --json > "$out.after.json"
    # shellcheck disable=SC2086
    [ -e "$work/${model##*/}.full.json" ] || "$bitplan" evaluate "$model" --data $check --timed 0 --no-store --json > "$work/${model##*/}.full.json"
    [ -e Reports ] && "$bitplan" report --training "$out.training.json" --name "$name" --output "$work/$name.md"
    python3 - "$name" "$metric" "$out" "$work/${model##*/}.full.json" "bitplan tune $model $start $settings --steps $steps" <<'P'
import json, sys
name, metric, out, full, command = sys.argv[1:]
log, before, after = (json.load(open(f"{out}.{part}.json")) for part in ["training", "before", "after"])
full = json.load(open(full))
log["command"] = command
print(f"| {name} | {after['bytes']:,} | {log['recipe']} | {log['steps']:,} | {log['points'][-1]['cpuSeconds'] / 60:.1f} "
      f"| {before['kl']:.4f} | {after['kl']:.4f} | {full[metric]:.4g} | {before[metric]:.4g} | {after[metric]:.4g} |", flush=True)
P
}

cat <<'T'
# What training wins back

`Scripts/measure_tuning.sh OUT` makes this table. Every row is a plan, or one scheme for all sublayers, trained by `bitplan tune` on text that is
apart from what it is chosen by (held-out) and from what is measured here; the loss is KL to the full-precision model. Minutes are CPU minutes of
the run, on two cores. "Before" is the same start without training: codes calibrated on the first 1,000 training items.

| case | bytes | recipe | steps | CPU minutes | KL before | after | metric, full precision | before | after |
|---|---:|---|---:|---:|---:|---:|---:|---:|---:|
T
train="$work/ta-en-de/train.en $work/ta-en-de/train.de"
val="$work/ta-en-de/val.en $work/ta-en-de/val.de --held-out-limit 200"
test="$work/ta-en-de/test.en $work/ta-en-de/test.de"
first="$train --calibration-limit 1000"
for size in 790444B 662000B 580000B; do plan auto "$size"; done
plan bcq1:fp16,bcq2:fp16,bcq3:fp16,bcq4:fp16 790444B
row translation-12x-scales bleu "$translation" "--plan $work/auto-790444B.plan.json" "$train" "$val" "$first" "$test" "--recipe scales" 1500
row translation-12x bleu "$translation" "--plan $work/auto-790444B.plan.json" "$train" "$val" "$first" "$test" "--recipe weights" 12000
row translation-14x bleu "$translation" "--plan $work/auto-662000B.plan.json" "$train" "$val" "$first" "$test" "--recipe weights" 12000
row translation-16x bleu "$translation" "--plan $work/auto-580000B.plan.json" "$train" "$val" "$first" "$test" "--recipe weights" 12000
row translation-12x-binary bleu "$translation" "--plan $work/bcq1:fp16,bcq2:fp16,bcq3:fp16,bcq4:fp16-790444B.plan.json" "$train" "$val" "$first" "$test" "--recipe weights" 12000
row translation-12x-chung bleu "$translation" "--plan $work/bcq1:fp16,bcq2:fp16,bcq3:fp16,bcq4:fp16-790444B.plan.json" "$train" "$val" "$first" "$test" "--recipe chung" 12000
lm=$shared/models/wikitext-lm
text="$work/wikitext2.train.txt"
row language-model-bcq2 perplexity "$lm" "--preset bcq2" "$text" "$lm/data/valid.txt --held-out-limit 60" "$text --calibration-limit 200" "$lm/data/test.txt" "--recipe weights --batch-size 8" 1500
head -n 436 "$shared/data/sst2.dev.tsv" > "$work/sst2.plan.tsv"
tail -n 436 "$shared/data/sst2.dev.tsv" > "$work/sst2.check.tsv"
sst="$shared/data/sst2.train.tsv"
row classifier-tcq2 accuracy Fixtures/sst2-bert "--preset tcq2" "$sst" "$work/sst2.plan.tsv" "$sst --calibration-limit 1000" "$work/sst2.check.tsv" "--recipe weights" 1000
