#!/bin/sh
# A translation model of Firefox's family at several sizes: uniform schemes with and without rotation, and plans, planned and calibrated on English text
# alone; BLEU and chrF2 on NTREX, which neither planning nor calibration saw. Prints the table of Reports/bergamot.md.
#
# usage: measure_bergamot.sh OUT
# OUT keeps the model, tables, plans, packed models and results by name: a second run goes on from them.
# In the environment: BITPLAN, SHARED (../shared), THREADS (1), SIZES, UNIFORM and TUNED (in place of the table's own; "" for none).
set -eu
work=$1
bitplan=${BITPLAN:-.build/release/bitplan}
shared=${SHARED:-../shared}
threads=${THREADS:-1}
mkdir -p "$work"
[ -e "$work/models/en-pt/model.bin" ] || python3 "$shared/tools/fetch_bergamot.py" "$work/models" > /dev/null
model=$work/models/en-pt
store="--store $work/store.sqlite"

# 200 sentences to plan on, 500 others for the moments of the sweep, 1,000 to calibrate what is packed.
news=$shared/data/newstest2019.zh-en.en
head -n 200 "$news" > "$work/plan.en"
sed -n 201,700p "$news" > "$work/moments.en"
head -n 1000 "$news" > "$work/calibration.en"
schemes=tcq2,tcq2.5,tcq3,tcq3.5,tcq4,tcq2:h,tcq2.5:h,tcq3:h,tcq3.5:h,tcq4:h,tcq4-2:r4,tcq4-2:r2,tcq4-3:r2,int5:fp16,int6:fp16

echo "| weights | bytes | over FP32 | over the file | KL | KL on own outputs | BLEU | chrF2 |"
echo "|---|---:|---:|---:|---:|---:|---:|---:|"

# row NAME DIRECTORY
row() {
    # shellcheck disable=SC2086
    [ -e "$work/$1.json" ] || "$bitplan" evaluate "$2" --reference "$model" --data "$shared/data/ntrex.en" "$shared/data/ntrex.pt-BR" \
        $store --timed 0 --threads "$threads" --json > "$work/part.json"
    [ -e "$work/$1.json" ] || mv "$work/part.json" "$work/$1.json"
    python3 - "$1" "$work/$1.json" "$model/model.bin" <<'P'
import json, os, sys
name, path, shipped = sys.argv[1:]
d = json.load(open(path))
print(f"| {name} | {d['bytes']:,} | {67628032 / d['bytes']:.2f}x | {os.path.getsize(shipped) / d['bytes']:.2f}x | {d['kl']:.4f} | {d['klOwn']:.4f} "
      f"| {d['bleu']:.2f} | {d['chrf2']:.2f} |", flush=True)
P
}

row full "$model"
for scheme in ${UNIFORM-tcq2 tcq2:h tcq3 tcq3:h tcq4 tcq4:h}; do
    name=uniform-$(echo "$scheme" | tr : -)
    # shellcheck disable=SC2086
    [ -e "$work/$name" ] || "$bitplan" quantize "$model" --preset "$scheme" --fit calibrated --data "$work/calibration.en" $store --output "$work/$name" > /dev/null
    row "$name" "$work/$name"
done

# Plans are solved from the table of a sweep: the least sum of losses within a size.
# shellcheck disable=SC2086
[ -e "$work/table.json" ] || "$bitplan" sweep "$model" --data "$work/plan.en" --calibration "$work/moments.en" --fit calibrated --schemes "$schemes" --no-groups \
    --threads "$threads" $store --output "$work/table.json" > /dev/null
for size in ${SIZES-9.0MB 8.0MB 6.8MB 5.73MB 4.83MB}; do
    [ -e "$work/plan-$size.plan.json" ] || "$bitplan" plan "$work/table.json" --size "$size" --output "$work/plan-$size.plan.json" > /dev/null
    # The same schemes, with codes fitted by the curvature of both sides.
    sed 's/"fit" *: *"calibrated"/"fit": "curvature"/' "$work/plan-$size.plan.json" > "$work/plan-$size-curvature.plan.json"
    for name in plan-$size plan-$size-curvature; do
        # shellcheck disable=SC2086
        [ -e "$work/$name" ] || "$bitplan" quantize "$model" --plan "$work/$name.plan.json" --data "$work/calibration.en" $store \
            --output "$work/$name" > /dev/null
        row "$name" "$work/$name"
    done
done

# Plans behind training on English text alone, none of it twice: sentences of WikiText, the news that held-out text leaves, STS-B's
# sentences, and, the fewer bits the more, Tatoeba's of nine words or more.
for size in ${TUNED-5.73MB 4.83MB}; do
    name=plan-$size-tuned
    [ -e "$work/tatoeba.en" ] || {
        python3 Scripts/wikitext_sentences.py "$shared/data/wikitext2.train.xz" > "$work/wikitext.en"
        { sed -n 201,1000p "$news"; sed -n 1201,2000p "$news"; } > "$work/news.en"
        sed -n 501,1500p "$shared/data/stsb.dev.tsv" | cut -f 1,2 | tr '\t' '\n' | awk 'NF >= 7 && !seen[$0]++' > "$work/stsb.en"
        sed -n 1001,1200p "$news" > "$work/held.en"
        { head -n 25600 "$work/wikitext.en"; cat "$work/news.en" "$work/stsb.en"; } > "$work/tune.en"
        tar -xJOf "$shared/data/tatoeba-en-de.tar.xz" ta-en-de/train.en | awk 'NF >= 9 && !seen[$0]++' > "$work/tatoeba.en"
        cat "$work/wikitext.en" "$work/news.en" "$work/stsb.en" "$work/tatoeba.en" > "$work/long.en"
    }
    # The fewer bits, the farther there is to go.
    case $size in
    4.83MB) settings="--data $work/long.en --steps 3600 --evaluate-every 180 --rate 0.004 --weight-rate 0.003" ;;
    *) settings="--data $work/tune.en --steps 2600 --evaluate-every 130 --rate 0.003 --weight-rate 0.0015" ;;
    esac
    # shellcheck disable=SC2086
    [ -e "$work/$name" ] || "$bitplan" tune "$model" --packed "$work/plan-$size-curvature" --held-out "$work/held.en" \
        --recipe weights --label-share 0.3 --batch-size 32 $settings --vector-rate 0.001 --epsilon 1 --recode-every 8 \
        $store --threads "$threads" --output "$work/$name" > /dev/null
    row "$name" "$work/$name"
done
