#!/usr/bin/env python3
"""Reference outputs of the translation fixture, by PyTorch and transformers in FP32, scored by sacreBLEU.

usage: translation.py [OUT]        (default: Tests/ModelsTests/Goldens/tatoeba-en-de of this checkout)
needs: pip install 'torch==2.13.0+cpu' transformers sentencepiece sacrebleu safetensors

goldens.json: for each of the first 100 pairs of Fixtures/data/check.{en,de} token ids of source and reference, greedy translation, for the
first 25 that of four beams, and the cross-entropy of the reference in nats (teacher-forced, end symbol included).
goldens.safetensors, for the first 4 pairs i: encoder_i (tokens, width), topk_values_i and topk_ids_i (target tokens, 20) of the
teacher-forced logits, logsumexp_i (target tokens).
"""
import json, os, sys
import sacrebleu, torch
from safetensors.torch import save_file
from transformers import MarianMTModel, MarianTokenizer

PAIRS, BEAMED, DETAILED, LENGTH = 100, 25, 4, 128
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
out = sys.argv[1] if len(sys.argv) > 1 else f"{root}/Tests/ModelsTests/Goldens/tatoeba-en-de"
os.makedirs(out, exist_ok=True)
tokenizer = MarianTokenizer.from_pretrained(f"{root}/Fixtures/tatoeba-en-de")
model = MarianMTModel.from_pretrained(f"{root}/Fixtures/tatoeba-en-de").float().eval()
pad, end = model.config.pad_token_id, model.config.eos_token_id


def lines(name):
    return open(f"{root}/Fixtures/data/{name}", encoding="utf-8").read().split("\n")[:PAIRS]


def generated(source, beams):
    ids = model.generate(**source, num_beams=beams, do_sample=False, max_length=LENGTH)[0].tolist()[1:]
    return ids[: ids.index(end) + 1] if end in ids else ids


sentences, tensors = [], {}
with torch.no_grad():
    for index, (text, reference) in enumerate(zip(lines("check.en"), lines("check.de"))):
        source = tokenizer(text, return_tensors="pt")
        target = torch.tensor(tokenizer(text_target=reference)["input_ids"])
        shifted = torch.cat([torch.tensor([pad]), target[:-1]])[None]
        result = model(**source, decoder_input_ids=shifted)
        logits = result.logits[0]
        normalizers = torch.logsumexp(logits, -1)
        row = {
            "source": text, "reference": reference,
            "source_ids": source["input_ids"][0].tolist(), "reference_ids": target.tolist(),
            "cross_entropy": float((normalizers - logits[torch.arange(len(target)), target]).sum()),
            "greedy_ids": generated(source, 1),
        }
        row["greedy"] = tokenizer.decode(row["greedy_ids"], skip_special_tokens=True)
        if index < BEAMED:
            row["beam4_ids"] = generated(source, 4)
            row["beam4"] = tokenizer.decode(row["beam4_ids"], skip_special_tokens=True)
        if index < DETAILED:
            top = logits.topk(20, -1)
            tensors[f"encoder_{index}"] = result.encoder_last_hidden_state[0].contiguous()
            tensors[f"topk_values_{index}"] = top.values.contiguous()
            tensors[f"topk_ids_{index}"] = top.indices.int().contiguous()
            tensors[f"logsumexp_{index}"] = normalizers
        sentences.append(row)

tokens = sum(len(row["reference_ids"]) for row in sentences)
bleu = sacrebleu.corpus_bleu([row["greedy"] for row in sentences], [[row["reference"] for row in sentences]])
goldens = {
    "max_length": LENGTH, "greedy": {"bleu": bleu.score},
    "cross_entropy_per_token": sum(row["cross_entropy"] for row in sentences) / tokens, "sentences": sentences,
}
with open(f"{out}/goldens.json", "w", encoding="utf-8") as file:
    json.dump(goldens, file, ensure_ascii=False, indent=1)
    file.write("\n")
save_file(tensors, f"{out}/goldens.safetensors")
