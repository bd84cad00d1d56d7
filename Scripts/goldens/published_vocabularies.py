#!/usr/bin/env python3
"""Vocabularies of published models, and the tokens that llama.cpp expects of them.

usage: published_vocabularies.py LLAMA_CPP [OUT] [--whole]   (default: Tests/TokenizersTests/Goldens/published of this checkout)
needs: pip install tokenizers==0.23.3 gguf

LLAMA_CPP is a source tree of llama.cpp (the source package llama_cpp_python 0.3.36 has one, `vendor/llama.cpp`): models/ggml-vocab-*.gguf hold
the vocabularies of published models, .inp beside them texts, and .out the tokens that the models' own tokenizers gave in transformers.
Writes OUT/NAME/tokenizer.json and golden.json (texts, and the ids of each without special tokens). A tokenizer.json has of the published
vocabulary only what can become a token of some text: every piece, and so every merge, whose characters stand side by side in one. Ids are counted
anew, unless --whole keeps all. This script stops where the tokenizers package does not give the expected tokens, with the whole and the small
vocabulary.
"""
import json
import os
import sys

sys.path = [path for path in sys.path if os.path.realpath(path) != os.path.dirname(os.path.realpath(__file__))]
from gguf import GGUFReader
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

here = os.path.dirname(os.path.abspath(__file__))
arguments = [a for a in sys.argv[1:] if a != "--whole"]
WHOLE = "--whole" in sys.argv
OUT = arguments[1] if len(arguments) > 1 else f"{here}/../../Tests/TokenizersTests/Goldens/published"
DIGITS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def read(name):
    """Tokens, scores and merges of a vocabulary; texts, and the ids of each."""
    path = f"{arguments[0]}/models/ggml-vocab-{name}.gguf"
    fields = GGUFReader(path).fields
    get = lambda key: fields[f"tokenizer.ggml.{key}"].contents() if f"tokenizer.ggml.{key}" in fields else None
    texts = open(path + ".inp", encoding="utf-8", newline="").read().split("\n__ggml_vocab_test__\n")
    ids = [[int(i) for i in line.split()] for line in open(path + ".out").read().split("\n")[:len(texts)]]
    return get("tokens"), get("scores"), get("merges"), texts, ids


def byte_level(pattern, normalizer=None, ignore_merges=False):
    def make(tokens, merges):
        tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, ignore_merges=ignore_merges))
        split = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not pattern)])
        tokenizer.decoder = decoders.ByteLevel()
        if normalizer:
            tokenizer.normalizer = normalizer
        return tokenizer

    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    seen = lambda text: "".join(piece for piece, _ in level.pre_tokenize_str(normalizer.normalize_str(text) if normalizer else text))
    return make, seen, pre_tokenizers.ByteLevel.alphabet()


def sentencepiece(prepends):
    def make(tokens, merges):
        tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
        replace = normalizers.Replace(" ", "▁")
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), replace]) if prepends else replace
        if not prepends:
            tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
        strip = [decoders.Strip(" ", 1, 0)] if prepends else []
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()] + strip)
        return tokenizer

    seen = lambda text: ("▁" if prepends else "") + text.replace(" ", "▁")
    return make, seen, ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]


def merges_by_score(tokens, scores):
    """The merges of a SentencePiece BPE vocabulary: every two pieces that make a piece, best piece first, as transformers converts them."""
    ids = {token: i for i, token in enumerate(tokens)}
    pairs = []
    for token, score in zip(tokens, scores):
        cuts = [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in ids and token[i:] in ids]
        pairs += [(a, b, score) for a, b in sorted(cuts, key=lambda cut: (ids[cut[0]], ids[cut[1]]))]
    return [(a, b) for a, b, _ in sorted(pairs, key=lambda pair: pair[2], reverse=True)]


def wordpiece():
    normalizer = normalizers.BertNormalizer(lowercase=True)

    def make(tokens, merges):
        tokenizer = Tokenizer(models.WordPiece(vocab={t: i for i, t in enumerate(tokens)}, unk_token="[UNK]", max_input_chars_per_word=100))
        tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = normalizer, pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
        return tokenizer

    return make, normalizer.normalize_str, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


# llama.cpp keeps the tokens of WordPiece as SentencePiece has them.
def continued(token):
    return token if token[0] == "[" and token[-1] == "]" else token[1:] if token[0] == "▁" else "##" + token


KINDS = {
    "gpt-2": byte_level(None), "llama-bpe": byte_level(DIGITS % r"\p{N}{1,3}", ignore_merges=True),
    "qwen2": byte_level(DIGITS % r"\p{N}", normalizers.NFC()), "llama-spm": sentencepiece(True), "gemma-4": sentencepiece(False), "bert-bge": wordpiece(),
}


def check(name, tokenizer, texts, expected):
    for text, ids in zip(texts, expected):
        got = tokenizer.encode(text, add_special_tokens=False).ids
        assert got == ids, (name, text, got, ids)


for name, (make, seen, always) in KINDS.items():
    tokens, scores, merges, texts, expected = read(name)
    if name == "bert-bge":
        tokens = [continued(token) for token in tokens]
    pairs = [tuple(merge.split(" ")) for merge in merges] if merges else merges_by_score(tokens, scores) if name == "llama-spm" else []
    whole = make(tokens, pairs)
    check(name, whole, texts, expected)
    if not WHOLE:
        text, always = "\n\n".join(map(seen, texts)), set(always)
        kept = [token for token in tokens if token in always or token.removeprefix("##") in text]
        known = set(kept)
        pairs = [(a, b) for a, b in pairs if a in known and b in known and a + b in known]
        old = {token: i for i, token in enumerate(tokens)}
        numbers = {old[token]: place for place, token in enumerate(kept)}
        expected = [[numbers[i] for i in ids] for ids in expected]
        whole = make(kept, pairs)
        check(name, whole, texts, expected)
    os.makedirs(f"{OUT}/{name}", exist_ok=True)
    stored = json.loads(whole.to_str())
    with open(f"{OUT}/{name}/tokenizer.json", "w", encoding="utf-8") as file:
        json.dump(stored, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
    with open(f"{OUT}/{name}/golden.json", "w", encoding="utf-8") as file:
        json.dump({"texts": texts, "ids": expected}, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")
    print(f"{name}: {len(tokens)} tokens, {len(stored['model']['vocab'])} written, {len(texts)} texts")
