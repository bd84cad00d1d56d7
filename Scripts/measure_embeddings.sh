#!/bin/sh
# Trellis codes of an embedding, alike for all rows and in clusters by frequency: bytes, and KL on the data whose tokens were counted and on
# other data, everything else in full precision. Prints Reports/embeddings.md.
#
# usage: measure_embeddings.sh OUT > Reports/embeddings.md
# In the environment: BITPLAN, SHARED (../shared); OUT keeps what was measured.
set -eu
out=$1
bitplan=${BITPLAN:-.build/release/bitplan}
shared=${SHARED:-../shared}
mkdir -p "$out"

# section MODEL "COUNTED FILES" "--limit N of them" "OTHER FILES" "--limit N of them"
section() {
    model=$1 name=${1##*/}
    printf '\n## %s\n\n' "$name"
    echo "| embedding | bytes | KL, nats, where tokens were counted | on other data | trellis codes alike for all rows, at these bytes | less |"
    echo "|---|---:|---:|---:|---:|---:|"
    for scheme in tcq1.5 tcq2 tcq2.5 tcq3 tcq3.5 tcq4 tcq3.5-1.5:r4 tcq3-2:r4 tcq4-2:r4 tcq4-2:r2 tcq4-3:r4 tcq4-3:r2; do
        result=$out/$name.$scheme
        if [ ! -e "$result.other" ]; then
            "$bitplan" inspect "$model" --json | python3 -c '
import json, sys
model = json.load(sys.stdin)["model"]
print(json.dumps({"model": model, "sublayers": {"*": "fp32", "Emb": sys.argv[1]}, "fit": "calibrated"}))' "$scheme" > "$result.plan.json"
            # shellcheck disable=SC2086
            "$bitplan" quantize "$model" --plan "$result.plan.json" --data $2 $3 --no-store --output "$result" > /dev/null
            # shellcheck disable=SC2086
            "$bitplan" evaluate "$result" --data $2 $3 --reference "$model" --timed 0 --no-store --json > "$result.counted"
            # shellcheck disable=SC2086
            "$bitplan" evaluate "$result" --data $4 $5 --reference "$model" --timed 0 --no-store --json > "$result.other"
            rm -rf "$result"
        fi
        echo "$scheme $result"
    done | python3 -c '
import json, math, sys
rows = []
for line in sys.stdin:
    scheme, result = line.split()
    counted, other = (json.load(open(f"{result}.{part}")) for part in ("counted", "other"))
    rows.append((scheme, other["bytes"], counted["kl"], other["kl"]))
alike = [(size, math.log(kl)) for scheme, size, _, kl in rows if "-" not in scheme]
for scheme, size, counted, other in rows:
    beside = "|"
    if "-" in scheme:
        for (low, a), (high, b) in zip(alike, alike[1:]):
            if low <= size <= high:
                expected = math.exp(a + (b - a) * (size - low) / (high - low))
                beside = f"{expected:.3g} | {100 * (1 - other / expected):.0f}%"
    print(f"| {scheme} | {size:,} | {counted:.3g} | {other:.3g} | {beside} |")'
}

cat <<T
# Embeddings in clusters of rows

\`\`\`
sh Scripts/measure_embeddings.sh OUT > Reports/embeddings.md
\`\`\`

Only the embedding is quantized; bytes are those of the whole model. \`tcq4-2:r4\` gives the most frequent rows 4 bits, four times as many 3 bits
and sixteen times as many 2. The last columns say what codes alike for all rows would lose at the same bytes, on the same other data (between
two measured ones the logarithm of KL is taken to be straight), and how much less clusters lose.
T
data=$shared/models/tatoeba-en-de/data
section Fixtures/tatoeba-en-de "Fixtures/data/plan.en Fixtures/data/plan.de" "" "$data/test.en $data/test.de" "--limit 500"
head -n 436 "$shared/data/sst2.dev.tsv" > "$out/sst2.plan.tsv"
tail -n 436 "$shared/data/sst2.dev.tsv" > "$out/sst2.check.tsv"
section Fixtures/sst2-bert "$out/sst2.plan.tsv" "" "$out/sst2.check.tsv" ""
data=$shared/models/wikitext-lm/data
section "$shared/models/wikitext-lm" "$data/valid.txt" "--limit 100" "$data/test.txt" "--limit 100"
