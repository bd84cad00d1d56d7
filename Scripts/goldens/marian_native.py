#!/usr/bin/env python3
"""What the random models in Marian's own format give beside their stored logits: gradients, beam searches, shortlists, lines that are cut.

usage: marian_native.py [Tests/ModelsTests/Goldens/marian-native [../shared/models/bergamot/goldens/tiny-random]]
needs: pip install 'torch==2.13.0+cpu' numpy pyyaml sentencepiece safetensors

The models, their logits and greedy translations (golden.*) are made by `../shared/tools/marian/make_random.py`, whose own reference is equal to
Marian's engine. This script has the network a second time, in PyTorch and FP64; it stops where its logits differ from the stored ones by 1e-5.

Copies the stored logits to MODEL/golden.*.safetensors. Writes for each model MODEL/gradients.safetensors, as gradients.py does, under Marian's names, matrices as (out, in), and MODEL/gradients.json;
for `ssru` and `selfatt` MODEL/search.json: beam searches as Marian has them (a finished hypothesis keeps its place), lines cut into parts; for
`ssru` lex.bin, a random shortlist, and what is translated with it. And Tests/TokenizersTests/Goldens/marian-native.json: the texts of texts.json
beside it under the vocabulary of these models, by the SentencePiece library.
"""
import glob, json, math, os, random, struct, sys

import numpy as np
import torch
import yaml
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../../Tests/ModelsTests/Goldens/marian-native")
STORED = sys.argv[2] if len(sys.argv) > 2 else os.path.join(os.path.dirname(__file__), "../../../shared/models/bergamot/goldens/tiny-random")
END, UNKNOWN = 0, 1


class Network:
    def __init__(self, directory, raw_keys=False):
        arrays = np.load(f"{directory}/model.npz")
        self.settings = yaml.safe_load(arrays["special:model.yml"].tobytes().rstrip(b"\0").decode())
        self.p = {name: torch.tensor(arrays[name].astype(np.float64), requires_grad=True) for name in arrays.files if ":" not in name}
        self.width, self.heads = self.settings["dim-emb"], self.settings["transformer-heads"]
        # PyYAML reads a bare n as a text, "" as one too.
        self.before = "n" in (self.settings["transformer-preprocess"] or "")
        self.top = "n" in (self.settings["transformer-postprocess-top"] or "")
        self.raw_keys = raw_keys
        shared = self.p.get("Wemb")
        self.source = shared if shared is not None else self.p["encoder_Wemb"]
        self.target = shared if shared is not None else self.p["decoder_Wemb"]
        self.output = self.p.get("decoder_ff_logit_out_Wt", self.target)

    def norm(self, x, name, suffix=""):
        return torch.nn.functional.layer_norm(
            x, (self.width,), self.p[f"{name}_ln_scale{suffix}"].reshape(-1), self.p[f"{name}_ln_bias{suffix}"].reshape(-1), 1e-6)

    def residual(self, x, branch, pre, post):
        """`branch` takes the input of its products and, for keys, the input of the sublayer."""
        if self.before:
            return x + branch(self.norm(x, pre, "_pre"), x)
        return self.norm(x + branch(x, x), post)

    def affine(self, x, name, letter):
        bias = self.p.get(f"{name}_b{letter}")
        y = x @ self.p[f"{name}_W{letter}"]
        return y if bias is None else y + bias

    def attend(self, x, keys, name, causal=False):
        q, k, v = self.affine(x, name, "q"), self.affine(keys, name, "k"), self.affine(keys, name, "v")
        q, k, v = (t.reshape(t.shape[0], self.heads, -1).transpose(0, 1) for t in (q, k, v))
        context = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.affine(context.transpose(0, 1).reshape(x.shape[0], -1), name, "o")

    def own(self, x, name, causal):
        return self.residual(x, lambda y, raw: self.attend(y, raw if self.raw_keys else y, name, causal), name + "_Wo", name + "_Wo")

    def ffn(self, x, name):
        act = torch.relu if self.settings["transformer-ffn-activation"] == "relu" else torch.nn.functional.silu
        return self.residual(x, lambda y, _: self.affine(act(self.affine(y, name, "1")), name, "2"), name + "_ffn", name + "_ffn")

    def recurrent(self, x, name):
        def branch(y, _):
            gates, candidates = torch.sigmoid(self.affine(y, name, "f")), self.affine(y, name, "")
            cell, rows = torch.zeros(self.width), []
            for f, u in zip(gates, candidates):
                cell = f * cell + (1 - f) * u
                rows.append(cell)
            return torch.relu(torch.stack(rows))
        return self.residual(x, branch, name, name + "_ffn")

    def embed(self, table, ids):
        half = self.width // 2
        angles = torch.arange(len(ids))[:, None] * torch.exp(-torch.arange(half) * (math.log(10000) / (half - 1)))
        rows = [table[i] * math.sqrt(self.width) if i >= 0 else torch.zeros(self.width) for i in ids]
        return torch.stack(rows) + torch.cat([torch.sin(angles), torch.cos(angles)], 1)

    def encode(self, source):
        x = self.embed(self.source, source)
        for layer in range(1, self.settings["enc-depth"] + 1):
            x = self.ffn(self.own(x, f"encoder_l{layer}_self", False), f"encoder_l{layer}_ffn")
        return self.norm(x, "encoder_top") if self.top else x

    def logits(self, memory, target):
        """Row t predicts target[t] from those before it."""
        x = self.embed(self.target, [-1] + target[:-1])
        for layer in range(1, self.settings["dec-depth"] + 1):
            name = f"decoder_l{layer}"
            if self.settings["transformer-decoder-autoreg"] == "rnn":
                x = self.recurrent(x, name + "_rnn")
            else:
                x = self.own(x, name + "_self", True)
            x = self.residual(x, lambda y, _: self.attend(y, memory, name + "_context"), name + "_context_Wo", name + "_context_Wo")
            x = self.ffn(x, name + "_ffn")
        x = self.norm(x, "decoder_top") if self.top else x
        return x @ self.output.T + self.p["decoder_ff_logit_out_b"]

    @torch.no_grad()
    def search(self, source, beams, normalize=1.0, penalty=0.0, factor=2.5, allowed=None):
        """The best hypothesis of Marian's search, the end symbol included where it ended."""
        memory = self.encode(source)
        limit = math.ceil(factor * len(source))
        running, finished = [([], 0.0)], []
        places = beams
        for step in range(1, limit + 1):
            candidates = []
            for tokens, score in running:
                row = self.logits(memory, tokens + [0])[-1]
                if allowed is not None:
                    row = torch.full_like(row, -math.inf).index_copy(0, torch.tensor(allowed), row[allowed])
                row = torch.log_softmax(row, 0)
                row[UNKNOWN] = -math.inf
                candidates += [(score + float(value), tokens + [token]) for token, value in enumerate(row) if value > -math.inf]
            candidates.sort(key=lambda c: -c[0])
            running = []
            for score, tokens in candidates[:places]:
                if tokens[-1] == END or step == limit:
                    finished.append(((score - penalty * step) / step ** normalize, tokens))
                else:
                    running.append((tokens, score))
            places -= sum(1 for s, t in finished if len(t) == step)
            if not running:
                break
        return max(finished, key=lambda f: f[0])[1]


def parts(source, longest):
    """A source in parts of at most `longest` tokens, each with the end symbol."""
    if len(source) <= longest:
        return [source]
    words = source[:-1]
    return [words[i:i + longest - 1] + [END] for i in range(0, len(words), longest - 1)]


def write_shortlist(path, vocabulary):
    """A random shortlist in Marian's binary form; returns what a source may become."""
    generator = random.Random(4)
    lists = [sorted(generator.sample(range(vocabulary), generator.randrange(0, 5))) for _ in range(vocabulary)]
    first, best = 6, 4
    offsets = np.cumsum([0] + [len(tokens) for tokens in lists])
    ids = [token for tokens in lists for token in tokens]
    body = struct.pack("<4Q", first, best, len(offsets), len(ids)) + offsets.astype("<u8").tobytes() + np.array(ids, "<u4").tobytes()
    seed, mask = 0, (1 << 64) - 1
    for word in struct.unpack_from(f"<{len(body) // 8}Q", body):
        seed ^= (word + 0x9E3779B9 + ((seed << 6) & mask) + (seed >> 2)) & mask
    open(path, "wb").write(struct.pack("<2Q", 0xF11A48D5013417F5, seed) + body)

    def candidates(source):
        allowed = set(range(first)) | set(source)
        for token in source:
            allowed |= set(lists[token])
        fill = (token for token in range(first, vocabulary) if token not in allowed)
        while len(allowed) % 8:
            allowed.add(next(fill))
        return sorted(allowed)
    return candidates


def gradients(name, network, golden):
    directory = f"{OUT}/{name}"
    arrays = np.load(f"{STORED}/{name}/{golden}.npz")
    pairs = json.load(open(f"{directory}/{golden}.json"))["forced"]
    rows = []
    for index, pair in enumerate(pairs):
        row = network.logits(network.encode(pair["source"]), pair["target"])
        difference = float((row.detach() - torch.tensor(arrays[f"logits.{index}"].astype(np.float64))).abs().max())
        assert difference < 1e-5, (name, index, difference)
        rows.append(row)
    generator = torch.Generator().manual_seed(11)
    upstream = [torch.randn(row.shape, generator=generator) for row in rows]
    loss = sum((u * row).sum() for u, row in zip(upstream, rows))
    loss.backward()
    turned = lambda key: key.rpartition("_")[2].startswith("W") and key.rpartition("_")[2] not in ("Wemb", "Wt")
    tensors = {f"gradient.{key}": (p.grad.T if turned(key) else p.grad).float().contiguous() for key, p in network.p.items()}
    tensors["upstream"] = torch.cat(upstream).float().contiguous()
    save_file(tensors, f"{directory}/gradients.safetensors")
    json.dump({"loss": loss.item(), "items": pairs}, open(f"{directory}/gradients.json", "w"))
    print(name, len(tensors) - 1, "gradients")


for path in glob.glob(f"{STORED}/*/golden.*.npz"):
    arrays = np.load(path)
    save_file({key: torch.tensor(arrays[key]) for key in arrays.files}, f"{OUT}/{os.path.relpath(path, STORED)[:-4]}.safetensors")
for name in ["ssru", "selfatt", "split", "prenorm"]:
    # The version in the file is 1.9, whose self-attention has keys of the input before the norm.
    network = Network(f"{OUT}/{name}", raw_keys=name == "prenorm")
    gradients(name, network, "golden.float32-rawkv" if name == "prenorm" else "golden.float32")
    if name not in ("ssru", "selfatt"):
        continue
    sources = json.load(open(f"{OUT}/{name}/golden.float32.json"))["sources"]
    result = {"sources": sources, "beams": [], "parts": {"longest": 8, "greedy": []}}
    for beams, normalize, penalty in [(1, 1.0, 0.0), (4, 1.0, 0.0), (3, 0.6, 0.1), (6, 0.0, 0.0)]:
        result["beams"].append({"beams": beams, "normalize": normalize, "word_penalty": penalty,
                                "ids": [network.search(s, beams, normalize, penalty) for s in sources]})
    for source in sources:
        ids = []
        for part in parts(source, 8):
            ids = [i for i in ids[:-1]] + ids[-1:] * (ids[-1:] != [END]) + network.search(part, 1)
        result["parts"]["greedy"].append(ids)
    if name == "ssru":
        candidates = write_shortlist(f"{OUT}/{name}/lex.bin", network.output.shape[0])
        result["shortlist"] = [{"beams": beams, "ids": [network.search(s, beams, allowed=candidates(s)) for s in sources]}
                               for beams in (1, 3)]
        result["candidates"] = [candidates(s) for s in sources]
    json.dump(result, open(f"{OUT}/{name}/search.json", "w"))

import sentencepiece

TOKENIZERS = os.path.join(OUT, "../../../TokenizersTests/Goldens")
vocabulary = sentencepiece.SentencePieceProcessor(model_file=f"{OUT}/vocab.spm")
texts = json.load(open(f"{TOKENIZERS}/texts.json"))
generator = random.Random(5)
decoded = [[generator.randrange(2, len(vocabulary)) for _ in range(generator.randrange(12))] for _ in range(100)]
json.dump({"ids": [vocabulary.encode(text) + [END] for text in texts],
           "decoded": [{"ids": ids, "text": vocabulary.decode(ids)} for ids in decoded]},
          open(f"{TOKENIZERS}/marian-native.json", "w"))
