#!/bin/sh
# What training wins back under a plan: KL and the task's metric before and after, on data that neither planning nor training saw.
# Prints Reports/tuning.md.
#
# usage: measure_tuning.sh OUT > Reports/tuning.md
# OUT keeps plans, packed models, logs and results by name: a second run goes on from them.
# In the environment: BITPLAN, SHARED (../shared), CASES (all), STEPS (a number in place of every case's own, for a trial).
# The translation model's plans are made here, too.
set -eu
work=$1
bitplan=${BITPLAN:-.build/release/bitplan}
shared=${SHARED:-../shared}
mkdir -p "$work"

# The output of a command as FILE, unless it is there: only when it is whole. $$: others may work in OUT.
kept() { # FILE COMMAND...
    file=$1
    shift
    [ -e "$file" ] || { "$@" > "$file.$$.part" && mv "$file.$$.part" "$file"; }
}
[ -e "$work/ta-en-de/train.en" ] || tar -xJf "$shared/data/tatoeba-en-de.tar.xz" -C "$work"
[ -e "$work/wikitext2.train.txt" ] || xz -dc "$shared/data/wikitext2.train.xz" > "$work/wikitext2.train.txt"

train="$work/ta-en-de/train.en $work/ta-en-de/train.de"
val="$work/ta-en-de/val.en $work/ta-en-de/val.de"
test="$work/ta-en-de/test.en $work/ta-en-de/test.de"

# The plan of a budget for the translation model: the sum of losses, swept on 200 sentence pairs, calibrated on 1,000 others.
translation=Fixtures/tatoeba-en-de
plan() { # NAME SCHEMES SIZE
    # shellcheck disable=SC2086
    [ -e "$work/$1.table.json" ] || "$bitplan" sweep "$translation" --data $val --limit 200 --fit calibrated --calibration $train --calibration-limit 1000 \
        --schemes "$2" --store "$work/store.sqlite" --output "$work/$1.table.json" > /dev/null
    [ -e "$work/$1-$3.plan.json" ] || "$bitplan" plan "$work/$1.table.json" --size "$3" --output "$work/$1-$3.plan.json" > /dev/null
    # The same schemes, with codes fitted by the curvature of both sides.
    sed 's/"fit" *: *"calibrated"/"fit": "curvature"/' "$work/$1-$3.plan.json" > "$work/$1-$3.curvature.plan.json"
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
        "$bitplan" tune "$model" $start --data $data --held-out $heldout --calibration $calibration $settings --steps "$steps" --store "$work/store.sqlite" --output "$out" > /dev/null
    # shellcheck disable=SC2086
    [ -e "$out.before.json" ] || {
        # One step whose rates are 0 leaves the codes as they are fitted.
        "$bitplan" tune "$model" $start --data $data --held-out $heldout --calibration $calibration --recipe scales --rate 0 --vector-rate 0 --steps 1 \
            --store "$work/store.sqlite" --output "$out-before" > /dev/null
        kept "$out.before.json" "$bitplan" evaluate "$out-before" --data $check --reference "$model" --timed 0 --no-store --json
    }
    # shellcheck disable=SC2086
    kept "$out.after.json" "$bitplan" evaluate "$out" --data $check --reference "$model" --timed 0 --no-store --json
    # shellcheck disable=SC2086
    kept "$work/${model##*/}.full.json" "$bitplan" evaluate "$model" --data $check --timed 0 --no-store --json
    "$bitplan" report --training "$out.training.json" --name "$name" --output "$work/$name.md"
    python3 - "$name" "$metric" "$out" "$work/${model##*/}.full.json" <<'P'
import json, sys
name, metric, out, full = sys.argv[1:]
log, before, after = (json.load(open(f"{out}.{part}.json")) for part in ["training", "before", "after"])
full = json.load(open(full))
print(f"| {name} | {after['bytes']:,} | {log['recipe']} | {log['steps']:,} | {log['points'][-1]['cpuSeconds'] / 60:.1f} "
      f"| {before['kl']:.4f} | {after['kl']:.4f} | {full[metric]:.4g} | {before[metric]:.4g} | {after[metric]:.4g} |", flush=True)
P
}

cat <<'T'
# What training wins back

`Scripts/measure_tuning.sh OUT` makes this table. Every row is a plan, or one scheme for all sublayers, trained by `bitplan tune` on text that is
apart from what it is chosen by (held-out) and from what is measured here; the loss is KL to the full-precision model. Minutes are CPU minutes of
the run, on two cores. "Before" is the same start without training: codes calibrated on the first 1,000 training items, 200 windows for the language model.

| case | bytes | recipe | steps | CPU minutes | KL before | after | metric, full precision | before | after |
|---|---:|---|---:|---:|---:|---:|---:|---:|---:|
T
held="$val --held-out-limit 200"
first="$train --calibration-limit 1000"
for size in 802549B 676434B 591880B; do plan auto auto "$size"; done
plan binary bcq1:fp16,bcq2:fp16,bcq3:fp16 802549B
row translation-12x-scales bleu "$translation" "--plan $work/auto-802549B.plan.json" "$train" "$held" "$first" "$test" "--recipe scales" 1500
row translation-12x-short bleu "$translation" "--plan $work/auto-802549B.plan.json" "$train" "$held" "$first" "$test" "--recipe weights" 800
row translation-12x bleu "$translation" "--plan $work/auto-802549B.plan.json" "$train" "$held" "$first" "$test" "--recipe weights" 9000
# What that row owes to its start, to the rate of its latent weights, and to what it learns from.
for fit in alternating curvature; do
    sed "s/\"fit\" *: *\"calibrated\"/\"fit\": \"$fit\"/" "$work/auto-802549B.plan.json" > "$work/auto-802549B.$fit.plan.json"
    row "short-$fit" bleu "$translation" "--plan $work/auto-802549B.$fit.plan.json" "$train" "$held" "$first" "$test" "--recipe weights" 800
done
for rate in 0.001 0.002 0.01; do
    row "short-rate-$rate" bleu "$translation" "--plan $work/auto-802549B.plan.json" "$train" "$held" "$first" "$test" "--recipe weights --weight-rate $rate" 800
done
row short-own bleu "$translation" "--plan $work/auto-802549B.plan.json" "$train" "$held" "$first" "$test" "--recipe weights --targets own --limit 52000" 800
row translation-14x bleu "$translation" "--plan $work/auto-676434B.plan.json" "$train" "$held" "$first" "$test" "--recipe weights" 800
row translation-16x bleu "$translation" "--plan $work/auto-591880B.plan.json" "$train" "$held" "$first" "$test" "--recipe weights" 800
row translation-12x-binary bleu "$translation" "--plan $work/binary-802549B.plan.json" "$train" "$held" "$first" "$test" "--recipe weights" 800
# Learned from the full model's own translations, from codes fitted by curvature; then scales, biases and norms alone.
for case in 12x=auto-802549B 14x=auto-676434B 16x=auto-591880B binary=binary-802549B; do
    name=translation-${case%%=*}-own
    row "$name" bleu "$translation" "--plan $work/${case#*=}.curvature.plan.json" "$train" "$held" "$first" "$test" "--recipe weights --targets own" 2400
    row "$name-scales" bleu "$translation" "--packed $work/$name" "$train" "$held" "$first" "$test" "--recipe scales --targets own --rate 0.001 --vector-rate 0.001" 800
done
# The full model's own beam search has a share beside its answers; a plan of the candidates of now, swept with the codes that it is packed with.
beams() { # NAME COUNT: the first sentences of a file, and their translations
    beam=$work/beams.$1.$2
    [ -e "$beam.de" ] || {
        head -n "$2" "$work/ta-en-de/$1.en" > "$beam.en"
        "$bitplan" run "$translation" --beams 4 < "$beam.en" > "$beam.part"
        mv "$beam.part" "$beam.de"
    }
    echo "$beam.en $beam.de"
}
withBeams() { # CASE PLAN STEPS SENTENCES [SETTINGS]
    case " ${CASES:-$1} " in *" $1 "*) ;; *) return 0 ;; esac
    # shellcheck disable=SC2086
    [ -e "$work/$2.plan.json" ] || {
        [ -e "$work/now.table.json" ] || "$bitplan" sweep "$translation" --data $val --limit 200 --calibration $train --calibration-limit 1000 --no-groups \
            --store "$work/store.sqlite" --output "$work/now.table.json" > /dev/null
        "$bitplan" plan "$work/now.table.json" --size "${2#now-}" --output "$work/$2.plan.json" > /dev/null
    }
    row "$1" bleu "$translation" "--plan $work/$2.plan.json" "$(beams train "$4")" "$(beams val 1000) --held-out-limit 200" "$first" "$test" "--recipe weights --label-share 0.3${5:+ $5}" "$3"
}
withBeams translation-12x-beams now-802549B 4000 110000
withBeams translation-14x-beams now-676434B 6000 110000
withBeams translation-16x-beams now-591880B 6000 110000
withBeams translation-16x-long now-591880B 20000 166813 "--weight-rate 0.0008 --rate 0.001 --vector-rate 0.001"
withBeams translation-binary-beams binary-802549B.curvature 4000 110000
row translation-12x-chung bleu "$translation" "--plan $work/binary-802549B.plan.json" "$train" "$held" "$first" "$test" "--recipe chung" 800
lm=$shared/models/wikitext-lm
text="$work/wikitext2.train.txt"
row language-model-bcq2 perplexity "$lm" "--preset bcq2 --fit calibrated" "$text" "$lm/data/valid.txt --held-out-limit 60" "$text --calibration-limit 200" "$lm/data/test.txt" "--recipe weights --batch-size 8 --weight-rate 0.002" 1200
head -n 436 "$shared/data/sst2.dev.tsv" > "$work/sst2.plan.tsv"
tail -n 436 "$shared/data/sst2.dev.tsv" > "$work/sst2.check.tsv"
sst="$shared/data/sst2.train.tsv"
row classifier-tcq2 accuracy Fixtures/sst2-bert "--preset tcq2 --fit calibrated" "$sst" "$work/sst2.plan.tsv" "$sst --calibration-limit 1000" "$work/sst2.check.tsv" "--recipe weights --weight-rate 0.002" 400
