"""The form of one adapter: names and shapes of its weights, its settings, its losses.

A full update has one matrix for each layer, by the name of the base's weight, and no settings.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit.result.layout import ADAPTER_CONFIG, ADAPTERS, FULL_UPDATE, LOSSES, RUN, WEIGHTS
from kit.result.strict_json import parse_json
from kit.verification.safetensors import Weights
from kit.verification.signed_file import read_signed
from kit.verification.training import Asked

PREFIX, A, B = "base_model.model.", ".lora_A.weight", ".lora_B.weight"
WEIGHT = ".weight"  # ends the name of a weight of the base
# Settings of PEFT that change what weights mean, and the one value that the kit writes.
NEUTRAL: dict[str, object] = {
    "peft_type": "LORA", "bias": "none", "lora_dropout": 0, "fan_in_fan_out": False,
    "use_dora": False, "use_rslora": False, "lora_bias": False, "modules_to_save": None,
    "rank_pattern": {}, "alpha_pattern": {}, "layers_to_transform": None, "layers_pattern": None,
    "layer_replication": None, "exclude_modules": None, "target_parameters": None,
    "trainable_token_indices": None, "auto_mapping": None, "revision": None,
}  # fmt: skip
# Settings that the manifest decides, and those that change nothing in an adapter that is loaded.
STATED = frozenset({"base_model_name_or_path", "r", "lora_alpha", "target_modules"})
WITHOUT_EFFECT: dict[str, tuple[object, ...]] = {
    "inference_mode": (True, False), "init_lora_weights": (True,), "qalora_group_size": (16,),
    "megatron_core": ("megatron.core",), "task_type": (None, "CAUSAL_LM"),
}  # fmt: skip
VERSION = "peft_version"
_PART = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,60}")  # of a loss; methods choose the names
_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){1,3}([a-z.+-][a-z0-9.+-]{0,40})?")


@dataclass(frozen=True)
class Adapter:
    """One adapter that is there: what the manifest asks of it and what its weights hold.

    `steps` is what run.json says that it was trained for, `modules` the manifest's regular
    expression for the layers that are adapted; None where it takes the family's. `file` names the
    file of the weights: LoRA's, or a full update's.
    """

    name: str
    asked: Asked
    steps: int | None
    modules: str | None
    weights: Weights
    file: str = WEIGHTS

    @property
    def layers(self) -> dict[str, tuple[int, int]]:
        """Return {layer, by PEFT's name: (inputs, outputs)}; 0 where a matrix is missing."""
        shapes = self.weights.shapes
        if self.file == FULL_UPDATE:
            return {
                PREFIX + name.removesuffix(WEIGHT): (shape[1], shape[0])
                for name, shape in sorted(shapes.items())
            }
        names = {name.removesuffix(A).removesuffix(B) for name in shapes}
        return {
            name: (shapes.get(name + A, (0, 0))[1], shapes.get(name + B, (0, 0))[0])
            for name in sorted(names)
        }


def form_faults(results: Path, adapter: Adapter, digests: Mapping[str, str]) -> Iterator[str]:
    """Yield `FILE: what is wrong` of one adapter."""
    full = adapter.file == FULL_UPDATE
    weight_faults = _update_faults if full else _weight_faults
    yield from (f"{adapter.file}: {fault}" for fault in weight_faults(adapter))
    others = () if full else ((ADAPTER_CONFIG, _setting_faults),)
    for name, faults in (*others, (LOSSES, _loss_faults)):
        path = f"{ADAPTERS}/{adapter.name}/{name}"
        if path not in digests:
            yield f"{name}: it is missing"
            continue
        data = read_signed(results, path, digests)
        yield from (f"{name}: {fault}" for fault in faults(data, adapter))


def _weight_faults(adapter: Adapter) -> Iterator[str]:
    shapes, rank = adapter.weights.shapes, adapter.asked.section.rank
    for name, shape in shapes.items():
        if not name.startswith(PREFIX) or not name.endswith((A, B)):
            yield f"{name[:200]!a} is no matrix of LoRA"
            continue
        twin = name.removesuffix(A) + B if name.endswith(A) else name.removesuffix(B) + A
        if twin not in shapes:
            yield f"{name[:200]!a} has no counterpart {twin[-14:]}"
        if rank is not None and shape[0 if name.endswith(A) else 1] != rank:
            yield f"{name[:200]!a} has the shape {shape}, but the rank is {rank}"
    if not any(name.endswith(B) for name in adapter.weights.moved):
        yield "every B matrix is zero: the adapter does nothing"


def _update_faults(adapter: Adapter) -> Iterator[str]:
    for name in adapter.weights.shapes:
        if not name.endswith(WEIGHT) or name.startswith(PREFIX) or name.endswith((A, B)):
            yield f"{name[:200]!a} is no weight of a layer of the base"
    if not adapter.weights.moved:
        yield "every matrix is zero: the update does nothing"


def _setting_faults(data: bytes, adapter: Adapter) -> Iterator[str]:
    try:
        settings = parse_json(data)
    except ValueError as error:
        yield f"it is not JSON: {error}"
        return
    if not isinstance(settings, dict):
        yield "it is not a JSON object"
        return
    section = adapter.asked.section
    right = {**NEUTRAL, "base_model_name_or_path": None}
    right |= {} if section.rank is None else {"r": section.rank}
    right |= {} if section.alpha is None else {"lora_alpha": section.alpha}
    for name, value in right.items():
        said = settings.get(name, value if value in (None, False, {}) else "missing")
        if said != value or isinstance(said, bool) != isinstance(value, bool):
            yield f"{name} is {str(said)[:100]!r}, not {value!r}"
    yield from _unknown_settings(settings)
    modules = settings.get("target_modules")
    if not isinstance(modules, str) or adapter.modules not in (None, modules):
        wanted = repr(adapter.modules) if adapter.modules else "a regular expression"
        yield f"target_modules is {str(modules)[:200]!r}, not {wanted}"


def _unknown_settings(settings: Mapping[str, object]) -> Iterator[str]:
    """Yield settings that the kit never writes; what PEFT may have added is off."""
    for name, value in settings.items():
        if name in STATED or name in NEUTRAL:
            continue
        if name == VERSION:
            if not isinstance(value, str) or not _VERSION.fullmatch(value):
                yield f"{name} is {str(value)[:100]!r}, no version"
        elif name in WITHOUT_EFFECT:
            if not any(value is each or value == each for each in WITHOUT_EFFECT[name]):
                yield f"{name} is {str(value)[:100]!r}, not {WITHOUT_EFFECT[name][0]!r}"
        elif value:
            yield f"{name[:100]} is {str(value)[:100]!r}, a setting that the kit does not write"


def _loss_faults(data: bytes, adapter: Adapter) -> Iterator[str]:
    """Yield why losses.jsonl is not one line of finite numbers for each step."""
    lines = data.split(b"\n")
    if lines[-1] != b"":
        yield "its last line has no end"
    lines = lines[:-1]
    if adapter.steps is None:
        yield f"{RUN} does not state how many steps they belong to"
        return
    if len(lines) != adapter.steps:
        yield f"{len(lines)} lines, but {adapter.steps} steps"
        return
    for number, line in enumerate(lines, 1):
        try:
            entry = parse_json(line, max_bytes=10_000)
        except ValueError:
            yield f"line {number} is not JSON"
            return
        numbers = entry.values() if isinstance(entry, dict) else [None]
        if not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):  # type: ignore[arg-type]
            yield f"line {number} is not an object of finite numbers"
            return
        assert isinstance(entry, dict)
        if odd := [name for name in entry if not _PART.fullmatch(name)]:
            yield f"line {number} has {odd[0][:100]!r}, no name of a part of a loss"
            return
        if entry.get("step") != number or "loss" not in entry:
            yield f"line {number} is not the loss of step {number}"
            return
