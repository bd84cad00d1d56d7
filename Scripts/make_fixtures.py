#!/usr/bin/env python3
"""Makes Fixtures/ again from a directory that holds the tatoeba-en-de model with its data, and writes Fixtures/manifest.json.

usage: make_fixtures.py MODEL [FIXTURES]
MODEL has the files below and data/{val,test}.{en,de}: the first 300 validation pairs are for planning, the first 200 test pairs for
checking. Without MODEL's data (`make_fixtures.py --check`) only the hashes of the manifest are compared.
"""
import hashlib, json, os, shutil, sys

FILES = ["config.json", "generation_config.json", "model.safetensors", "source.spm", "target.spm", "vocab.json", "tokenizer_config.json"]
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

model = sys.argv[1]
os.makedirs(f"{root}/tatoeba-en-de", exist_ok=True)
os.makedirs(f"{root}/data", exist_ok=True)
for name in FILES:
    shutil.copyfile(f"{model}/{name}", f"{root}/tatoeba-en-de/{name}")
for source, target, count in (("val", "plan", 300), ("test", "check", 200)):
    for language in ("en", "de"):
        lines = open(f"{model}/data/{source}.{language}", encoding="utf-8").read().split("\n")[:count]
        open(f"{root}/data/{target}.{language}", "w", encoding="utf-8").write("\n".join(lines) + "\n")
origin = {
    "tatoeba-en-de": "trained by the bitplan authors on sentence pairs of Tatoeba; MarianMT layout, 2.4 M weights, FP16",
    "data": "sentence pairs of Tatoeba (tatoeba.org)",
}
manifest = {
    "licence": "CC-BY 2.0 FR, attribution: Tatoeba (tatoeba.org) and its contributors",
    "origin": origin,
    "made_by": "Scripts/make_fixtures.py",
    "files": {path: {"sha256": digest, "bytes": os.path.getsize(os.path.join(root, path))} for path, digest in tree().items()},
}
json.dump(manifest, open(f"{root}/manifest.json", "w"), indent=1, sort_keys=True)
print(f"{len(manifest['files'])} fixtures")
