"""Scores that need the model in PyTorch: gradients and activations on the planning data."""
import torch
import transformers
from torch.nn.functional import cross_entropy, kl_div, log_softmax, normalize

from . import Refused

# A batch has about as many tokens as auto-round's samples (256): its scores and mlx-lm's are sums over
# batches.
ITEMS_OF_BATCH = 16
# As bitplan takes KL of sentence vectors (SentenceAnchors.swift) and cuts text into windows
# (LanguageModelling.swift).
ANCHORS, TEMPERATURE = 64, 0.05
CONTEXT, STRIDE = 256, 128


class Scored:
    """A model and its planning data.

    `logits(batch)` are (predictions, classes) and the right classes, or None where there are none;
    `read(item)` runs the model on one item alone, without padding.
    """

    def __init__(self, directory, files, limit):
        config = transformers.AutoConfig.from_pretrained(directory)
        architecture = (config.architectures or ["?"])[0]
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
        lines = [_lines(file) for file in files]
        self.batch_size, self.read = ITEMS_OF_BATCH, lambda item: self.logits([item])
        if config.is_encoder_decoder:
            kind, self.logits = transformers.AutoModelForSeq2SeqLM, self._translation
            items = list(zip(*lines))
        elif architecture.endswith("ForSequenceClassification"):
            kind, self.logits = transformers.AutoModelForSequenceClassification, self._classes
            items = [line.split("\t") for line in lines[0]]
        elif architecture.endswith("ForCausalLM"):
            kind, self.logits = transformers.AutoModelForCausalLM, self._text
            items, self.batch_size = self._windows(lines, config.eos_token_id), 1
        else:
            kind, self.logits = transformers.AutoModel, self._similarity
            items = [line.split("\t") for line in lines[0]]
            count = min(ANCHORS, len(items))
            self.anchors = [items[i * len(items) // count][0] for i in range(count)]
            self.read = lambda item: [self._vectors([text]) for text in item[:2]]
        self.model = kind.from_pretrained(directory).float().eval()
        self.items = items[:limit]
        if not self.items:
            raise Refused(f"{files[0]}: expected items to score on, got none")

    @property
    def batches(self):
        starts = range(0, len(self.items), self.batch_size)
        return [self.items[start:start + self.batch_size] for start in starts]

    def parameter(self, tensor):
        parameters = self.model.state_dict(keep_vars=True)
        # A checkpoint of a model without its head may or may not name the base model.
        for name in [tensor, tensor.removeprefix(self.model.base_model_prefix + ".")]:
            if name in parameters:
                return parameters[name]
        raise Refused(f"transformers' {type(self.model).__name__} has no tensor {tensor}")

    def _windows(self, lines, end):
        """Windows of the text as one row of tokens, and how many of the last tokens each predicts."""
        ids = [i for file in lines for line in file
               for i in self.tokenizer(line, add_special_tokens=False)["input_ids"] + [end]]
        windows, scored = [], 0
        for start in range(0, len(ids), STRIDE):
            stop = min(start + CONTEXT, len(ids))
            windows.append((ids[start:stop], min(stop - scored, stop - start - 1)))
            scored = stop
            if stop == len(ids):
                break
        return windows

    def _encoded(self, *texts):
        limit = self.model.config.max_position_embeddings
        return self.tokenizer(*texts, return_tensors="pt", padding=True, truncation=True, max_length=limit)

    def _translation(self, batch):
        inputs = self._encoded([source for source, _ in batch])
        targets = [target for _, target in batch]
        labels = self.tokenizer(text_target=targets, return_tensors="pt", padding=True)
        targets = labels["input_ids"].masked_fill(labels["attention_mask"] == 0, -100)
        logits = self.model(**inputs, labels=targets).logits
        return logits[targets != -100], targets[targets != -100]

    def _classes(self, batch):
        labels = torch.tensor([int(item[-1]) for item in batch])
        return self.model(**self._encoded(*map(list, list(zip(*batch))[:-1]))).logits, labels

    def _text(self, batch):
        (window, scored), = batch
        return self.model(torch.tensor([window])).logits[0, -scored - 1:-1], torch.tensor(window[-scored:])

    def _similarity(self, batch):
        """Cosines of texts with anchors over a temperature; there are no labels."""
        texts = [text for item in batch for text in item[:2]]
        return self._vectors(texts) @ self._vectors(self.anchors).T / TEMPERATURE, None

    def _vectors(self, texts):
        inputs = self._encoded(texts)
        mask = inputs["attention_mask"].unsqueeze(2)
        return normalize((self.model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1), dim=1)


def _lines(file):
    return [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]


def activations(scored, parameters):
    """Tensor to mean squares of what its layer reads (columns); none for tensors that are only looked up."""
    sums, counts, hooks = {}, {}, []
    owners = {id(parameter): name for name, parameter in parameters.items()}
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
            scored.read(item)
    for hook in hooks:
        hook.remove()
    return {name: sums[name] / counts[name] for name in sums}


def gradients(scored, parameters, targets, errors):
    """Two scores of the model as it stands.

    Tensor to the sum over batches and weights of |g dW|, g the gradient of cross-entropy, with full
    precision's distribution as label where there is none; and tensor to the mean gradient of KL from full
    precision.
    """
    first = dict.fromkeys(parameters, 0.0)
    means = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    for batch, target in zip(scored.batches, targets):
        logits, labels = scored.logits(batch)
        loss = cross_entropy(logits, target.exp() if labels is None else labels)
        divergence = kl_div(log_softmax(logits, 1), target, reduction="batchmean", log_target=True)
        found = torch.autograd.grad(loss, parameters.values(), retain_graph=True)
        for name, gradient in zip(parameters, found):
            first[name] += float((gradient * errors[name]).abs().sum())
        for name, gradient in zip(parameters, torch.autograd.grad(divergence, parameters.values())):
            means[name] += gradient / len(targets)
    return first, means


def scores(directory, files, limit, tensors, weights, schemes, uniform):
    """Three scores by scheme and row.

    tensors: row to its tensors; weights: of a scheme the tensors' weights in the model that has it in all
    rows; schemes: the candidates, the smallest first; uniform: those of them that all rows may have.

    - weight: sum over weights of E[x_j^2] dW_ij^2, as llama.cpp weights the error with its importance matrix;
      tensors that are only looked up have weight 1 there and here. Without llama.cpp's bias term and its
      boosts by hand.
    - firstOrder: sum over batches and weights of |g dW|, as auto-round's AutoScheme; g is the gradient of
      cross-entropy in the model that has the scheme in all rows.
    - threshold: by the lower scheme, g (W_low - W_high) summed, per million weights, as mlx-lm's
      dynamic_quant; g is the mean gradient of KL(full precision || model) in the model that has the lower
      scheme in all rows, W_high has the next.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    scored = Scored(directory, files, limit)
    parameters = {name: scored.parameter(name) for row in tensors.values() for name in row}
    for parameter in scored.model.parameters():
        parameter.requires_grad_(False)
    squares = activations(scored, parameters)
    with torch.no_grad():
        originals = {name: parameter.clone() for name, parameter in parameters.items()}
        targets = [log_softmax(scored.logits(batch)[0], 1) for batch in scored.batches]
    for parameter in parameters.values():
        parameter.requires_grad_(True)

    def by_row(values):
        return {row: float(sum(values[name] for name in names)) for row, names in tensors.items()}

    result = {"weight": {}, "firstOrder": {}, "threshold": {}}
    for scheme in schemes:
        low = {name: torch.from_numpy(values) for name, values in weights(scheme).items()}
        errors = {name: originals[name] - low[name] for name in parameters}
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(low[name])
        first, means = gradients(scored, parameters, targets, errors)
        result["weight"][scheme] = by_row({
            name: (squares.get(name, torch.ones(())) * error * error).double().sum()
            for name, error in errors.items()})
        result["firstOrder"][scheme] = by_row(first)
        if scheme in uniform[:-1]:
            high = weights(uniform[uniform.index(scheme) + 1])
            steps = {name: low[name] - torch.from_numpy(high[name]) for name in low}
            aligned = by_row({name: (means[name] * step).double().sum() for name, step in steps.items()})
            sizes = by_row({name: original.numel() for name, original in originals.items()})
            result["threshold"][scheme] = {row: 1e6 * aligned[row] / sizes[row] for row in tensors}
    return result
