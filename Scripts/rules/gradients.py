"""Scores that need the model in PyTorch: gradients and activations on the planning data, at weights decoded from binary codes.

The codes are fitted here, alternating least squares as in Xu et al. 2018, and not calibrated: like the tools whose rules these are, which
score plain rounding and quantize with more care afterwards.
"""
import re

import torch
import transformers
from torch.nn.functional import cross_entropy, kl_div, log_softmax, normalize

# A batch has about as many tokens as auto-round's samples (256); mlx-lm's and auto-round's scores are sums over batches.
ITEMS_OF_BATCH = 16
ANCHORS, TEMPERATURE = 64, 0.05


class Unsupported(Exception):
    """A model, a scheme or data that these rules cannot score."""


def bits_of(scheme):
    match = re.fullmatch(r"bcq([1-8])(:fp16)?", scheme)
    if not match:
        raise Unsupported(f"scheme {scheme}: the rules with gradients decode bcq1 to bcq8 only")
    return int(match.group(1))


def decoded(weight, scheme, rounds=10):
    """(rows, columns) after binary codes: greedy, then least-squares alphas and nearest values in turn."""
    bits = bits_of(scheme)
    patterns = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * bits).reshape(-1, bits)
    return torch.cat([_decoded(block, bits, patterns, rounds, "fp16" in scheme) for block in weight.split(2048)])


def _decoded(w, bits, patterns, rounds, is_half):
    rest, codes = w.clone(), []
    for _ in range(bits):
        sign = torch.where(rest >= 0, 1.0, -1.0)
        rest = rest - rest.abs().mean(1, keepdim=True) * sign
        codes.append(sign)
    codes = torch.stack(codes, 2)
    for step in range(rounds + 1):
        gram = codes.transpose(1, 2) @ codes + 1e-6 * w.shape[1] * torch.eye(bits)
        alphas = torch.linalg.solve(gram, codes.transpose(1, 2) @ w.unsqueeze(2)).squeeze(2)
        if step < rounds:
            levels = alphas @ patterns.T
            codes = patterns[(w.unsqueeze(2) - levels.unsqueeze(1)).abs().argmin(2)]
    return (codes @ (alphas.half().float() if is_half else alphas).unsqueeze(2)).squeeze(2)


class Scored:
    """A model and its planning data: `logits(batch)` are (predictions, classes), `labels(batch)` classes or None."""

    def __init__(self, directory, files, limit):
        config = transformers.AutoConfig.from_pretrained(directory)
        architecture = (config.architectures or ["?"])[0]
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
        lines = [[line for line in open(file, encoding="utf-8").read().split("\n") if line.strip()] for file in files]
        if config.is_encoder_decoder:
            kind, self.logits, items = transformers.AutoModelForSeq2SeqLM, self._translation, list(zip(*lines))
        elif architecture.endswith("ForSequenceClassification"):
            kind, self.logits, items = transformers.AutoModelForSequenceClassification, self._classes, _rows(lines[0])
        elif architecture.endswith("ForCausalLM"):
            kind, self.logits, items = transformers.AutoModelForCausalLM, self._text, self._windows(lines, config.eos_token_id)
            limit = limit and -(-limit // 2)  # bitplan's windows of 256 tokens move on by 128 only
        else:
            kind, self.logits, items = transformers.AutoModel, self._similarity, _rows(lines[0])
        self.model = kind.from_pretrained(directory).float().eval()
        self.items = items[:limit]
        if not self.items:
            raise Unsupported(f"{files[0]}: no items")
        texts = [item[0] for item in self.items]
        self.anchors = [texts[i * len(texts) // ANCHORS] for i in range(ANCHORS)]
        self.is_decoder = architecture.endswith("ForCausalLM")
        size = 1 if self.is_decoder else ITEMS_OF_BATCH
        self.batches = [self.items[start:start + size] for start in range(0, len(self.items), size)]

    def parameter(self, tensor):
        found = self.model.state_dict(keep_vars=True).get(tensor)
        if found is None:
            raise Unsupported(f"transformers' {type(self.model).__name__} has no tensor {tensor}")
        return found

    def _windows(self, lines, end, context=256):
        ids = [i for file in lines for line in file for i in self.tokenizer(line, add_special_tokens=False)["input_ids"] + [end]]
        return [ids[start:start + context] for start in range(0, len(ids) - 1, context)]

    def _encoded(self, *texts):
        limit = self.model.config.max_position_embeddings
        return self.tokenizer(*texts, return_tensors="pt", padding=True, truncation=True, max_length=limit)

    def _translation(self, batch):
        inputs = self._encoded([source for source, _ in batch])
        labels = self.tokenizer(text_target=[target for _, target in batch], return_tensors="pt", padding=True)
        targets = labels["input_ids"].masked_fill(labels["attention_mask"] == 0, -100)
        logits = self.model(**inputs, labels=targets).logits
        return logits[targets != -100], targets[targets != -100]

    def _classes(self, batch):
        labels = torch.tensor([int(item[-1]) for item in batch])
        return self.model(**self._encoded(*map(list, list(zip(*batch))[:-1]))).logits, labels

    def _text(self, batch):
        ids = torch.tensor(batch)
        return self.model(ids).logits[0, :-1], ids[0, 1:]

    def _similarity(self, batch):
        """Cosines of texts with anchors over a temperature, as bitplan takes KL of sentence vectors; there are no labels."""
        texts = [text for item in batch for text in item[:2]]
        return self._vectors(texts) @ self._vectors(self.anchors).T / TEMPERATURE, None

    def _vectors(self, texts):
        inputs = self._encoded(texts)
        mask = inputs["attention_mask"].unsqueeze(2)
        return normalize((self.model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1), dim=1)


def _rows(lines):
    return [line.split("\t") for line in lines]


def activations(scored, names):
    """Tensor to mean squares of what its linear layer reads (columns), without padding; none for tensors that are only looked up."""
    sums, counts, hooks = {}, {}, []
    owners = {id(scored.parameter(name)): name for name in names}
    for module in scored.model.modules():
        name = owners.get(id(getattr(module, "weight", None)))
        if isinstance(module, torch.nn.Linear) and name:
            def add(_, inputs, name=name):
                x = inputs[0].reshape(-1, inputs[0].shape[-1])
                sums[name] = sums.get(name, 0) + (x * x).sum(0)
                counts[name] = counts.get(name, 0) + len(x)
            hooks.append(module.register_forward_pre_hook(add))
    with torch.no_grad():
        for item in scored.items:
            scored.logits([item])
    for hook in hooks:
        hook.remove()
    return {name: sums[name] / counts[name] for name in sums}


def scores(directory, files, limit, tensors, candidates):
    """Three scores of every row, as dictionaries by scheme and row.

    - imatrix: sum over weights of E[x_j^2] dW_ij^2, as llama.cpp weights the error with its importance matrix; tensors that are only
      looked up have weight 1 there and here. Without llama.cpp's bias term and its boosts by hand.
    - firstOrder: sum over batches and weights of |g dW|, as auto-round's AutoScheme; g is the gradient of cross-entropy at the model that
      has the scheme in all rows.
    - threshold: by the lower scheme, g (W_low - W_high) summed, per million weights, as mlx-lm's dynamic_quant; g is the mean gradient of
      KL(full precision || model) at the model that has the lower scheme in all rows, W_high the next candidate.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    scored = Scored(directory, files, limit)
    names = [name for row in tensors.values() for name in row]
    parameters = {name: scored.parameter(name) for name in names}
    for parameter in scored.model.parameters():
        parameter.requires_grad_(False)
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    squares = activations(scored, names)
    with torch.no_grad():
        originals = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        targets = [log_softmax(scored.logits(batch)[0], 1) for batch in scored.batches]
    weights = {scheme: {name: decoded(w, scheme) for name, w in originals.items()} for scheme in candidates}

    result = {"imatrix": {}, "firstOrder": {}, "threshold": {}}
    for place, scheme in enumerate(candidates):
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(weights[scheme][name])
        errors = {name: originals[name] - weights[scheme][name] for name in names}
        higher = weights[candidates[min(place + 1, len(candidates) - 1)]]
        first, sums = dict.fromkeys(names, 0.0), {name: torch.zeros_like(w) for name, w in originals.items()}
        for batch, target in zip(scored.batches, targets):
            logits, labels = scored.logits(batch)
            loss = cross_entropy(logits, target.exp() if labels is None else labels)
            divergence = kl_div(log_softmax(logits, 1), target, reduction="batchmean", log_target=True)
            gradients = torch.autograd.grad(loss, parameters.values(), retain_graph=True)
            for name, gradient in zip(names, gradients):
                first[name] += float((gradient * errors[name]).abs().sum())
            for name, gradient in zip(names, torch.autograd.grad(divergence, parameters.values())):
                sums[name] += gradient / len(scored.batches)
        weighted = {name: float((squares.get(name, torch.ones(())) * e * e).sum()) for name, e in errors.items()}
        aligned = {name: float((sums[name] * (weights[scheme][name] - higher[name])).sum()) for name in names}
        result["imatrix"][scheme] = {row: sum(weighted[n] for n in tensors[row]) for row in tensors}
        result["firstOrder"][scheme] = {row: sum(first[n] for n in tensors[row]) for row in tensors}
        result["threshold"][scheme] = {row: sum(aligned[n] for n in tensors[row]) * 1e6 / sum(originals[n].numel() for n in tensors[row])
                                       for row in tensors}
    return result
