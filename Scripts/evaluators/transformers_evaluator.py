#!/usr/bin/env python3
"""An evaluator of any PyTorch model of transformers: causal, encoder with a classifier, or encoder-decoder.

    bitplan sweep --evaluator 'python3 Scripts/evaluators/transformers_evaluator.py MODEL --data FILES' --schemes bcq2,int4,nf4

KL is that of the model's predictions from those in full precision; matrices become what quantizers.py makes of them, each by
itself. FILES are as bitplan reads them: source and reference for translation, `text<TAB>label` lines for a classifier, text in
windows (--context, --stride) for a causal model. With several workers and GPUs each takes its own (BITPLAN_WORKER).
"""
import argparse
import os
import pathlib
import re
import sys

import numpy as np
import torch
import transformers

from bitplan_evaluator import Refused, serve, sha256, weights_sha256
from quantizers import activations, apply

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "torch"))
from bitplan_torch.codes import quantized_activations  # noqa: E402

# What its results are a function of beside model and data; it changes with everything here that changes them.
REVISION = "2"
LAYER = re.compile(r"\.(?:layers?|blocks?|h)\.(\d+)\.")


def kind(name, is_pair):
    """Kind and depth of a matrix by its name in the checkpoint, as bitplan names them; `is_pair`: encoder and decoder."""
    found = LAYER.search(name)
    if not found:
        for part, its in [("position", "Pos"), ("pooler", "Pooler")]:
            if part in name:
                return its
        return "Emb" if re.search(r"embed|shared|wte", name) else "Head"
    depth = found.group(1)
    is_attention = re.search(r"attn|attention", name)
    if not is_pair:
        return f"{'Attention' if is_attention else 'FFN'}.{depth}"
    if ".encoder." in name:
        return f"{'Enc_ee' if is_attention else 'Enc_ffn'}.{depth}"
    if re.search(r"encoder_attn|EncDecAttention|crossattention", name):
        return f"Dec_ed.{depth}"
    return f"{'Dec_dd' if is_attention else 'Dec_ffn'}.{depth}"


class TransformersEvaluator:
    """A model with its items: tensors of tokens, and which of the rows of logits are predictions of what."""

    def __init__(self, arguments):
        transformers.utils.logging.set_verbosity_error()
        workers = torch.cuda.device_count()
        self.device = f"cuda:{int(os.environ.get('BITPLAN_WORKER', 0)) % workers}" if workers else "cpu"
        config = transformers.AutoConfig.from_pretrained(arguments.model)
        self.type, self.is_pair = config.model_type, config.is_encoder_decoder
        architectures = " ".join(config.architectures or [])
        self.is_classifier = "SequenceClassification" in architectures
        loader = (transformers.AutoModelForSeq2SeqLM if self.is_pair
                  else transformers.AutoModelForSequenceClassification if self.is_classifier
                  else transformers.AutoModelForCausalLM)
        self.model = loader.from_pretrained(arguments.model, dtype=torch.float32).to(self.device).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model)
        self.files = [pathlib.Path(file) for file in arguments.data]
        self.settings = f"{arguments.limit} {arguments.context} {arguments.stride}"
        read = self.pairs if self.is_pair else self.labelled if self.is_classifier else self.windows
        self.items = read(arguments)
        # Sinusoids are computed, whatever a checkpoint holds of them.
        computed = {p for m in self.model.modules() if "Sinusoidal" in type(m).__name__ for p in m.parameters()}
        self.parameters = {name: p for name, p in self.model.named_parameters() if p not in computed}
        self.full = {name: p.detach().clone() for name, p in self.parameters.items()}
        # The few rows that say which text a token is of count as vectors.
        self.matrices = {name: p for name, p in self.full.items() if p.dim() == 2 and "token_type" not in name}
        self.vectors = self.full.keys() - self.matrices.keys()
        self.coded = {}
        self.frequencies = self.token_counts()
        # What quantizes the inputs of products, by the matrix.
        self.activations = {}
        for module in self.model.modules():
            if isinstance(module, torch.nn.Linear):
                module.register_forward_pre_hook(self.quantize_inputs)
        with torch.no_grad():
            self.reference = [self.log_probabilities(item) for item in self.items]

    def lines(self, file):
        return [line for line in file.read_text(encoding="utf-8").split("\n") if line]

    def pairs(self, arguments):
        """(source, decoder's input, target tokens) of translations."""
        if len(self.files) != 2:
            raise SystemExit(f"--data: expected source and reference, got {len(self.files)} files")
        start, items = self.model.config.decoder_start_token_id, []
        for source, target in list(zip(*map(self.lines, self.files)))[:arguments.limit]:
            ids = self.tokenizer(text_target=target).input_ids
            items.append((self.tokenizer(source).input_ids, [start] + ids[:-1], ids))
        return items

    def labelled(self, arguments):
        """(text, None, [label]) of labelled texts."""
        rows = [line.split("\t") for line in self.lines(self.files[0])][:arguments.limit]
        return [(self.tokenizer(*row[:-1], truncation=True).input_ids, None, [int(row[-1])]) for row in rows]

    def windows(self, arguments):
        """(window, None, its last tokens, which it predicts), as the perplexity guide of transformers cuts them."""
        tokens = []
        for line in self.lines(self.files[0]):
            if line.strip():
                tokens += self.tokenizer.encode(line, add_special_tokens=False) + [self.tokenizer.eos_token_id]
        context = min(arguments.context, self.model.config.max_position_embeddings)
        items, begin, end = [], 0, 0
        while end < len(tokens) and len(items) < (arguments.limit or len(tokens)):
            stop = min(begin + context, len(tokens))
            items.append((tokens[begin:stop], None, tokens[stop - min(stop - end, stop - begin - 1):stop]))
            end, begin = stop, begin + (arguments.stride or context // 2)
        return items

    def token_counts(self):
        """How often each row of the embedding is looked up, or predicted where it scores translations, by its tensor."""
        found = self.model.get_input_embeddings().weight
        counts = np.zeros(len(found))
        for inputs, decoder, targets in self.items:
            read = inputs if decoder or self.is_classifier else inputs[:-1]
            np.add.at(counts, read + (targets if decoder else []), 1)
        return {name: counts for name, parameter in self.parameters.items() if parameter is found}

    def quantize_inputs(self, module, inputs):
        kind = self.activations.get(id(module.weight))
        return None if kind is None else (quantized_activations(kind, inputs[0]), *inputs[1:])

    def log_probabilities(self, item):
        """(predictions, classes)."""
        inputs, decoder, targets = item
        ids = torch.tensor([inputs], device=self.device)
        if self.is_pair:
            logits = self.model(
                input_ids=ids, decoder_input_ids=torch.tensor([decoder], device=self.device)).logits[0]
        else:
            logits = self.model(input_ids=ids).logits
            logits = logits if self.is_classifier else logits[0, -len(targets) - 1:-1]
        return torch.log_softmax(logits.double(), -1)

    def describe(self):
        sublayers = {}
        for name, matrix in self.matrices.items():
            rows, columns = matrix.shape
            sublayers.setdefault(kind(name, self.is_pair), []).append({"tensor": name, "rows": rows, "columns": columns})
        vectors = sum(self.full[name].numel() for name in self.vectors)
        layout = [{"name": name, "matrices": matrices} for name, matrices in sublayers.items()]
        counts = [len(item[2]) for item in self.items]
        return {
            "model": {"type": self.type, "sha256": weights_sha256({n: p.cpu().numpy() for n, p in self.full.items()})},
            "configuration": sha256(REVISION, pathlib.Path(__file__).with_name("quantizers.py").read_bytes()),
            "layout": {"sublayers": layout + [{"name": "Vectors", "matrices": [], "vectors": vectors}],
                       "fixedParameters": 0},
            "data": {"sha256": sha256(*[file.read_bytes() for file in self.files], self.settings),
                     "predictions": counts, "targets": counts,
                     "metric": "accuracy" if self.is_classifier else "perplexity"},
            "fit": "greedy",
        }

    def assign(self, schemes):
        """Gives every parameter what `schemes` make of it; codes are kept."""
        for name in schemes:
            if name != "vectors" and name not in self.matrices:
                raise Refused(f"the model has no matrix '{name}'")
        self.activations = {id(self.parameters[name]): activations(scheme)
                            for name, scheme in schemes.items() if name != "vectors" and activations(scheme)}
        for name, parameter in self.parameters.items():
            value = self.full[name]
            if name in self.vectors and schemes.get("vectors") == "fp16":
                value = value.half().float()
            if name in schemes:
                key = name, schemes[name]
                if key not in self.coded:
                    self.coded[key] = torch.tensor(
                        apply(self.full[name].cpu().numpy(), schemes[name], self.frequencies.get(name)), dtype=torch.float32)
                value = self.coded[key]
            parameter.data.copy_(value)

    def losses(self, schemes, items, encoding):
        self.assign(schemes)
        kl, entropy = [], []
        with torch.no_grad():
            for index in items:
                p, q = self.reference[index], self.log_probabilities(self.items[index])
                kl.append(float((p.exp() * (p - q)).sum()))
                entropy.append(-float(q[torch.arange(len(q)), self.items[index][2]].sum()))
        return kl, entropy

    def metric(self, schemes, encoding):
        self.assign(schemes)
        with torch.no_grad():
            rows = [self.log_probabilities(item) for item in self.items]
        if self.is_classifier:
            return {"accuracy": [int(q[0].argmax() == item[2][0]) for q, item in zip(rows, self.items)]}
        return {"perplexity": [[-float(q[torch.arange(len(q)), item[2]].sum()), len(q)]
                               for q, item in zip(rows, self.items)]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="directory of the model")
    parser.add_argument("--data", nargs="+", required=True, help="files that it is measured on")
    parser.add_argument("--limit", type=int, help="only the first items")
    parser.add_argument("--context", type=int, default=256, help="causal models: tokens of a window")
    parser.add_argument("--stride", type=int, help="causal models: tokens by which windows move on; half a window")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    np.seterr(all="raise", under="ignore")
    serve(TransformersEvaluator(arguments))
