"""Training of bitplan's plans by any trainer of PyTorch.

    bitplan quantize MODEL --plan plan.json --data TEXT --output start
    prepare(model, "start")            # a model of transformers; then train it as ever
    export(model, "trained")           # a checkpoint with codes.safetensors beside it
    bitplan quantize trained --fit stored --output packed

`prepare` puts straight-through fake quantization on the matrices of a packed model's plan, by the names of their tensors. What
the forward multiplies with is what the packed model has, bit by bit; gradients are those of `bitplan tune`. Needs torch alone,
and the program bitplan, which says what lies where in the packed directory.
"""
import json
import os
import shutil
import subprocess
from functools import partial

import torch
from torch.nn.utils import parametrize

from .codes import Half, quantized_activations
from .schemes import codes_of
from .storage import BitplanError, read_safetensors, write_safetensors

__all__ = ["BitplanError", "export", "follow", "prepare"]
LAYOUT_VERSION = "2"
CODES = "codes.safetensors"


class Prepared:
    """What `prepare` has put on a model."""

    def __init__(self, start, plan, learns_weights, recode_every):
        self.start, self.plan, self.learns_weights, self.recode_every = start, plan, learns_weights, recode_every
        # The module and attribute of each matrix, by tensor.
        self.matrices = {}
        self.steps, self.is_stale = 0, False

    def codes(self):
        """Tensor, codes and latent weights of each matrix."""
        for tensor, (module, attribute) in self.matrices.items():
            parametrization = module.parametrizations[attribute]
            yield tensor, parametrization[0], parametrization.original


def prepare(model, packed, learns="scales", latents="codes", recode_every=1, program=None):
    """Puts fake quantization on `model`, whose weights are in FP32, and returns it.

    packed: the directory that `bitplan quantize` or `tune` wrote of this model, whose codes, biases and norms training starts at.
    learns: "scales" (scales, alphas, centroids, biases and norms; codes stay) or "weights" (latent weights too, which codes
      follow). Constant vectors, which are not stored, stay.
    latents: where latent weights start, at what "codes" stand for, or where the "model" has them.
    recode_every: codes follow latent weights at the first of so many forwards with gradients; 4 is what `tune` does.
    program: bitplan; the environment's BITPLAN, or the one on the PATH, where not given.
    """
    for name, value, allowed in [("learns", learns, ("scales", "weights")), ("latents", latents, ("codes", "model"))]:
        if value not in allowed:
            raise BitplanError(f"{name}: expected {allowed[0]} or {allowed[1]}, got {value}")
    if not isinstance(recode_every, int) or recode_every < 1:
        raise BitplanError(f"recode_every: expected 1 or more, got {recode_every}")
    if learns == "scales" and (latents, recode_every) != ("codes", 1):
        raise BitplanError("latents and recode_every are settings of learns='weights', got learns='scales'")
    if "bitplan" in model.__dict__:
        raise BitplanError("the model is prepared already")
    matrices, parts, vectors, plan = read_packed(packed, program)
    prepared = Prepared(packed, plan, learns == "weights", recode_every)
    found = {name: find(model, name) for name in [*vectors, *(matrix["tensor"] for matrix in matrices)]}
    coded = []
    for matrix in matrices:
        tensor, shape = matrix["tensor"], [matrix["rows"], matrix["columns"]]
        if list(found[tensor].shape) != shape or found[tensor].dtype != torch.float32:
            raise BitplanError(f"tensor '{tensor}': expected FP32 {shape}, as {packed} has it, got {kind(found[tensor])}")
        own = {name.removeprefix(f"{tensor}."): part for name, part in parts.items() if name.startswith(f"{tensor}.")}
        codes = codes_of(matrix["scheme"], *shape, own)
        if codes is None:
            raise BitplanError(f"tensor '{tensor}': scheme {matrix['scheme']} cannot be trained here")
        coded.append((tensor, found[tensor], codes))
    for name, numbers in vectors.items():
        if numbers is not None and (found[name].numel() != numbers.numel() or found[name].dtype != torch.float32):
            raise BitplanError(f"tensor '{name}': expected FP32 [{numbers.numel()}], as {packed} has it, got {kind(found[name])}")
    # Marian's positions are a formula, though PyTorch keeps them as parameters.
    computed = [module.weight for module in model.modules() if "SinusoidalPositional" in type(module).__name__]
    known = {id(tensor) for tensor in [*found.values(), *computed]}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and id(parameter) not in known:
            raise BitplanError(f"parameter '{name}' is not in the plan of {packed}: it would be trained and not packed")
    # All is well: from here on the model changes.
    for parameter in computed:
        parameter.requires_grad_(False)
    for tensor, parameter, codes in coded:
        codes.to(parameter.device)
        codes.follows = prepared.learns_weights
        if latents == "codes":
            parameter.data.copy_(codes.decoded())
        parameter.requires_grad_(codes.follows)
        prepared.matrices[tensor] = put_codes(model, parameter, codes)
    for name, numbers in vectors.items():
        put_vector(model, found[name], numbers)
    model.bitplan = prepared
    if hasattr(model, "tie_weights"):
        # Tied modules read one matrix already; transformers would look for parameters under their former names.
        model.tie_weights = are_tied
    if prepared.learns_weights:
        model.register_forward_pre_hook(before_forward)
        follow(model)
    return model


def kind(tensor):
    """Type and shape of a tensor, for people to read."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def read_packed(packed, program):
    """What lies in a packed directory: its matrices, their parts by name, the vectors (None for a constant one), the plan."""
    command = [program or os.environ.get("BITPLAN", "bitplan"), "inspect", packed, "--json"]
    try:
        run = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise BitplanError(f"{command[0]}: {error.strerror}: program= or BITPLAN names the program bitplan") from None
    if run.returncode != 0:
        raise BitplanError(run.stderr.strip().removeprefix("bitplan: "))
    contents = json.loads(run.stdout)
    if "matrices" not in contents:
        raise BitplanError(f"{packed}: expected a packed directory, as `bitplan quantize` writes it")
    path = os.path.join(packed, "model.safetensors")
    tensors, metadata = read_safetensors(path)
    if metadata.get("layout_version") != LAYOUT_VERSION:
        written = metadata.get("layout_version")
        raise BitplanError(f"{path}: written by layout version {written}, this module reads {LAYOUT_VERSION}")
    parts = {}
    for part in contents["parts"]:
        count = torch.Size(part["shape"]).numel()
        parts[part["name"]] = tensors[part["type"]][part["offset"]:part["offset"] + count].view(part["shape"])
    prefixes = tuple(f"{matrix['tensor']}." for matrix in contents["matrices"])
    vectors = {name: part for name, part in parts.items() if not name.startswith(prefixes)}
    with open(os.path.join(packed, "config.json"), encoding="utf-8") as file:
        plan = json.load(file)["quantization_config"]["plan"]
    return contents["matrices"], parts, vectors | dict.fromkeys(contents["constants"]), plan


def find(model, name):
    """The parameter or buffer of a tensor, under its own name or without the prefix of the base model."""
    prefix = getattr(model, "base_model_prefix", "") + "."
    state = dict(model.named_buffers(remove_duplicate=False)) | dict(model.named_parameters(remove_duplicate=False))
    for candidate in [name, name.removeprefix(prefix), prefix + name]:
        if candidate in state:
            return state[candidate]
    raise BitplanError(f"the model has no tensor '{name}', which the plan names: it is a plan of another model")


def places(model, parameter):
    """The modules that have a parameter, and under which name."""
    return [(module, name) for module in model.modules() for name, own in module._parameters.items() if own is parameter]


def put_codes(model, parameter, codes):
    """Replaces a matrix by what its codes stand for, in every module that has it; returns the first and its attribute."""
    (owner, attribute), *others = places(model, parameter)
    for module, _ in [(owner, attribute), *others]:
        if isinstance(module, torch.nn.Embedding):
            # The row of the padding, which Marian's decoders start with, is trained as any other.
            module.padding_idx = None
        elif codes.activations:
            module.register_forward_pre_hook(partial(quantize_inputs, codes.activations))
    for module, name in others:
        # A tied module reads the first one's matrix: there is one set of codes, and one copy in checkpoints.
        del module._parameters[name]
        module.__dict__["tied_to"] = owner
        shared = property(lambda self, attribute=attribute: getattr(self.__dict__["tied_to"], attribute))
        module.__class__ = type(f"Tied{type(module).__name__}", (type(module),), {name: shared})
    parametrize.register_parametrization(owner, attribute, codes, unsafe=True)
    for numbers in codes.parameters():
        numbers.requires_grad_(numbers.numel() > 0 and not (codes.follows and codes.derived))
    return owner, attribute


def put_vector(model, tensor, numbers):
    """Starts a bias or norm at its stored numbers, and rounds it to what is stored; a constant one stays as it is."""
    if numbers is not None:
        tensor.data.copy_(numbers.view(tensor.shape))
    if not isinstance(tensor, torch.nn.Parameter):
        return
    if numbers is None:
        tensor.requires_grad_(False)
    elif numbers.dtype == torch.float16:
        for module, name in places(model, tensor):
            parametrize.register_parametrization(module, name, Half(), unsafe=True)


def are_tied(*_, **__):
    """In place of a model's `tie_weights`."""


def quantize_inputs(activations, _, inputs):
    """Before a product whose scheme quantizes activations."""
    return quantized_activations(activations, inputs[0]), *inputs[1:]


@torch.no_grad()
def follow(model):
    """Lets codes follow latent weights; the model's forward does it itself."""
    for _, codes, latent in model.bitplan.codes():
        if codes.follows:
            codes.recode(latent)


def before_forward(model, _):
    """Codes follow latent weights in every so many forwards with gradients, and once at the first one without."""
    prepared = model.bitplan
    if torch.is_grad_enabled():
        if prepared.steps % prepared.recode_every == 0:
            follow(model)
        prepared.steps += 1
        prepared.is_stale = True
    elif prepared.is_stale:
        follow(model)
        prepared.is_stale = False


@torch.no_grad()
def export(model, directory):
    """Writes a model that `prepare` was called for: a checkpoint in FP32 with the files that lay beside the packed start, and
    codes.safetensors, what `bitplan quantize DIRECTORY --fit stored` packs. All of it, or nothing."""
    if not isinstance(getattr(model, "bitplan", None), Prepared):
        raise BitplanError("the model is not prepared: export writes what prepare has put on it")
    if os.path.exists(directory) and not os.path.exists(os.path.join(directory, CODES)) and os.listdir(directory):
        raise BitplanError(f"{directory}: exists and is no export: it is not written over")
    follow(model)
    prepared, parts, weights = model.bitplan, {}, {}
    for tensor, codes, latent in prepared.codes():
        weights[tensor] = latent
        for name, part in codes.parts().items():
            parts[f"{tensor}.{name}"] = part
    owned = {id(weight) for weight in weights.values()}
    for name, value in model.state_dict(keep_vars=True).items():
        is_latent = name.endswith(".original")
        if id(value) not in owned and (is_latent or ".parametrizations." not in name):
            weights[name.replace(".parametrizations.", ".").removesuffix(".original")] = value
    for name, value in [*parts.items(), *weights.items()]:
        if value.is_floating_point() and not value.isfinite().all():
            index = int(torch.nonzero(~value.flatten().isfinite())[0])
            raise BitplanError(f"tensor '{name}': {float(value.flatten()[index])} at element {index}: training has diverged")
    target = f"{os.fspath(directory).rstrip('/')}.part"
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)
    try:
        for name in os.listdir(prepared.start):
            if name not in ("config.json", "model.safetensors"):
                shutil.copy(os.path.join(prepared.start, name), target)
        with open(os.path.join(prepared.start, "config.json"), encoding="utf-8") as file:
            settings = json.load(file)
        del settings["quantization_config"]
        with open(os.path.join(target, "config.json"), "w", encoding="utf-8") as file:
            json.dump(settings, file, indent=2, ensure_ascii=False)
        write_safetensors(os.path.join(target, "model.safetensors"), weights, {"format": "pt"})
        metadata = {"format": "bitplan", "layout_version": LAYOUT_VERSION, "plan": json.dumps(prepared.plan)}
        write_safetensors(os.path.join(target, CODES), parts, metadata)
        shutil.rmtree(directory, ignore_errors=True)
        os.replace(target, directory)
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise BitplanError(f"{error.filename}: {error.strerror}") from None
