#!/usr/bin/env python3
"""Makes Fixtures/ again from the models and data that they were taken from, and writes Fixtures/manifest.json.

usage: make_fixtures.py TATOEBA SST2 DEV | --manifest | --check
TATOEBA (the tatoeba-en-de model) has the files below and data/{val,test}.{en,de}: the first 300 validation pairs are for planning, the
first 200 test pairs for checking. SST2 is the sst2-bert model, DEV the development set of SST-2: its first 100 rows are for planning,
the next 100 for checking. The model in Marian's own format is one of the random goldens. `--manifest` writes the manifest alone, `--check` compares the hashes of the manifest.
"""
import hashlib, json, os, shutil, sys

TRANSLATION = ["config.json", "generation_config.json", "model.safetensors", "source.spm", "target.spm", "vocab.json", "tokenizer_config.json"]
CLASSIFIER = ["config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"]
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Fixtures")


def sha(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


def tree():
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)
            if path not in ("manifest.json", "README.md"):
                found[path] = sha(os.path.join(root, path))
    return dict(sorted(found.items()))


if sys.argv[1] == "--check":
    expected = {name: entry["sha256"] for name, entry in json.load(open(f"{root}/manifest.json"))["files"].items()}
    if expected != tree():
        sys.exit("Fixtures differ from their manifest: " + ", ".join(sorted(k for k in expected.keys() | tree().keys() if expected.get(k) != tree().get(k))))
    print(f"{len(expected)} fixtures are as the manifest says")
    sys.exit()

goldens = os.path.join(root, "../Tests/ModelsTests/Goldens/marian-native")
os.makedirs(f"{root}/marian-native", exist_ok=True)
for source, name in (("ssru/model.int8.bin", "model.bin"), ("ssru/lex.bin", "lex.bin"), ("vocab.spm", "vocab.spm")):
    shutil.copyfile(f"{goldens}/{source}", f"{root}/marian-native/{name}")
open(f"{root}/marian-native/config.yml", "w").write("""relative-paths: true
models:
  - model.bin
vocabs:
  - vocab.spm
  - vocab.spm
beam-size: 1
normalize: 1.0
word-penalty: 0
max-length-factor: 2.5
max-length-break: 128
gemm-precision: int8shiftAlphaAll
""")


def models_and_data(translation, classifier, dev):
    """Copies what was trained, and writes the data."""
    for name, source, files in (("tatoeba-en-de", translation, TRANSLATION), ("sst2-bert", classifier, CLASSIFIER)):
        os.makedirs(f"{root}/{name}", exist_ok=True)
        for file in files:
            shutil.copyfile(f"{source}/{file}", f"{root}/{name}/{file}")
    os.makedirs(f"{root}/data", exist_ok=True)

    def write(name, lines):
        open(f"{root}/data/{name}", "w", encoding="utf-8").write("\n".join(lines) + "\n")

    for source, target, count in (("val", "plan", 300), ("test", "check", 200)):
        for language in ("en", "de"):
            write(f"{target}.{language}", open(f"{translation}/data/{source}.{language}", encoding="utf-8").read().split("\n")[:count])
    rows = open(dev, encoding="utf-8").read().split("\n")
    write("sst2.plan.tsv", rows[:100])
    write("sst2.check.tsv", rows[100:200])


if sys.argv[1] != "--manifest":
    models_and_data(*sys.argv[1:4])
origin = {
    "tatoeba-en-de": "trained by the bitplan authors on sentence pairs of Tatoeba; MarianMT layout, 2.4 M weights, FP16",
    "data/plan.*, data/check.*": "sentence pairs of Tatoeba (tatoeba.org)",
    "marian-native": "random weights of the bitplan authors, Bergamot's architecture with 32 channels (Scripts/goldens/marian_native.py)",
    "sst2-bert": "trained by the bitplan authors on SST-2; BERT layout with a classifier, 2.0 M weights, FP16",
    "data/sst2.*": "a sample of the development set of SST-2 (Stanford Sentiment Treebank, Socher et al. 2013, as in GLUE)",
}
manifest = {
    "licence": {
        "marian-native": "Apache-2.0, as the program",
        "tatoeba-en-de, data/plan.*, data/check.*": "CC-BY 2.0 FR, attribution: Tatoeba (tatoeba.org) and its contributors",
        "sst2-bert, data/sst2.*": "research use, attribution: Stanford Sentiment Treebank (Socher et al. 2013)",
    },
    "origin": origin,
    "made_by": "Scripts/make_fixtures.py",
    "files": {path: {"sha256": digest, "bytes": os.path.getsize(os.path.join(root, path))} for path, digest in tree().items()},
}
json.dump(manifest, open(f"{root}/manifest.json", "w"), indent=1, sort_keys=True)
print(f"{len(manifest['files'])} fixtures")
