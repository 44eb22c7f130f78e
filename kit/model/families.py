"""The families of models that the kit can train and serve: one row each says what differs.

A family is chosen by `model_type` in the base's config.json. This module imports no model library:
a family is refused before anything large is downloaded.

What needs no entry here: processors expand images to tokens themselves, prompts are encoded one by
one (so images need no nesting), and a batch carries every output of the processor
(`kit.model.batches`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import ModelError
from kit.model.file_kinds import require_own_kind
from kit.model.published_config import require_no_adapter, require_plain_config

CONFIG = "config.json"
# CLIP's and SigLIP's weights have this prefix on the hub, and vLLM accepts no other. transformers
# leaves it out when it saves them.
HUB_TOWER = (r"^(model\.)?vision_tower\.(?!vision_model\.)", r"\1vision_tower.vision_model.")
DENSE = ("llama", "mistral", "qwen2", "qwen3")


@dataclass(frozen=True)
class Family:
    """How the models of one `model_type` are quantised, adapted and served."""

    title: str
    language_model: str = "model.language_model"
    """Path of the language model. Its linear layers are quantised, and LoRA goes there."""
    outside: tuple[str, ...] = ("model.vision_tower", "model.multi_modal_projector")
    """Paths of the vision tower and the projector. They stay in full precision."""
    weight_renames: tuple[tuple[str, str], ...] = ()
    """Regular expression and replacement for names of weights that vLLM expects otherwise than
    transformers saves them."""
    text_types: tuple[str, ...] = ()
    """`model_type` of the language models that were tried; empty if the family has only one."""
    tower_types: tuple[str, ...] = ()
    """`model_type` of the vision towers that were tried; empty if the family has only one."""
    vllm_lora: bool = True
    """Whether vLLM serves LoRA adapters on it; else merged weights alone."""
    vllm_cpu: bool = True
    """Whether vLLM computes the same as transformers on a CPU."""
    note: str = ""
    """What a user should know before training."""

    @property
    def lora_modules(self) -> str:
        """Return the expression for the linear layers of the language model's decoder."""
        name = self.language_model.rpartition(".")[2]
        return rf".*\.{name}\.layers\.\d+\..*_proj"

    @property
    def full_precision(self) -> tuple[str, ...]:
        """Return what is not quantised, as expressions from the start of a module's path."""
        return (*(path.replace(".", r"\.") for path in self.outside), "lm_head")


FAMILIES: dict[str, Family] = {
    "llava": Family(
        "LLaVA 1.5",
        weight_renames=(HUB_TOWER,),
        text_types=DENSE,
        tower_types=("clip_vision_model",),
        note="the family of the small experiments",
    ),
    "llava_next": Family(
        "LLaVA-NeXT",
        weight_renames=(HUB_TOWER,),
        text_types=DENSE,
        tower_types=("clip_vision_model",),
        note="an image becomes up to five patches: about 2,900 tokens",
    ),
    "llava_onevision": Family(
        "LLaVA-OneVision",
        weight_renames=(HUB_TOWER,),
        text_types=DENSE,
        tower_types=("siglip_vision_model",),
        vllm_lora=False,
        note="an image becomes up to ten patches: about 7,300 tokens",
    ),
    "qwen2_vl": Family("Qwen2-VL", outside=("model.visual",)),
    "qwen2_5_vl": Family("Qwen2.5-VL", outside=("model.visual",)),
    "qwen3_vl": Family("Qwen3-VL", outside=("model.visual",)),
    "internvl": Family(
        "InternVL (hf)",
        text_types=DENSE,
        tower_types=("internvl_vision",),
        note="checkpoints whose names end in -hf",
    ),
    "gemma3": Family(
        "Gemma 3",
        weight_renames=(HUB_TOWER,),
        text_types=("gemma3_text",),
        tower_types=("siglip_vision_model",),
        vllm_cpu=False,  # its attention is causal there, also among the tokens of an image
    ),
    "idefics3": Family(
        "Idefics3",
        language_model="model.text_model",
        outside=("model.vision_model", "model.connector"),
        text_types=DENSE,
        note="the first SmolVLM is an Idefics3 as well",
    ),
}

UNSUPPORTED: dict[str, str] = {
    "mllama": "vLLM has no implementation of it",
    "paligemma": "its published checkpoints have no chat template: they answer task prefixes, not "
    "questions in a dialogue",
    "smolvlm": "its processor needs the package num2words, which the kit's locks do not contain; "
    "the first SmolVLM (model_type idefics3) works without it",
    "internvl_chat": "its code is in its own repository; take the checkpoint of the same name that "
    "ends in -hf",
    "qwen3_vl_moe": "experts are not linear layers, so neither 4-bit weights nor LoRA reach them",
    "gemma3_text": "it is a language model without images",
}
OUTSIDE_NAMES = frozenset(
    path.rpartition(".")[2] for family in FAMILIES.values() for path in family.outside
)
REMEDY = "choose a base of a family in the table of kit/model/README.md"


def family_of(config: Mapping[str, Any]) -> Family:
    """Return the family of a model by the content of its config.json.

    Raises:
        ModelError: the kit cannot train or serve such a model.
    """
    if "model_type" not in config:
        raise ModelError(
            f"{CONFIG} of the base does not name its family",
            expected=f"model_type: one of {', '.join(FAMILIES)}",
            found=f"keys such as {', '.join(sorted(map(str, config))[:3]) or 'none'}",
            remedy="run `./run.sh fetch`: it brings the files of the base or says what to do",
        )
    name = str(config["model_type"])
    if name not in FAMILIES:
        reason = UNSUPPORTED.get(name, "it was never tried")
        raise ModelError(
            f"the kit does not support models of the family {name}",
            expected=f"model_type: one of {', '.join(FAMILIES)}",
            found=f"{name}: {reason}",
            remedy=REMEDY,
        )
    family = FAMILIES[name]
    require_plain_config(family.title, config)
    _check_part(family, config, "text_config", family.text_types)
    _check_part(family, config, "vision_config", family.tower_types)
    return family


def family_in(folder: Path) -> Family:
    """Return the family of the base model in `folder`.

    Raises:
        ModelError: there is no readable config.json, the kit cannot train or serve such a model, or
            the folder also contains an adapter.
    """
    require_no_adapter(folder)
    path = folder / CONFIG
    if path.is_file():
        require_own_kind(path)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"no base model in {folder}",
            expected=f"{CONFIG}, which names the model's family",
            found=str(error).splitlines()[0],
            remedy="run `./run.sh fetch`, with 'config.json' in `files` of [model.source]; into a "
            "folder of your own, copy the base model's file",
        ) from None
    if not isinstance(config, dict):
        raise ModelError(
            f"{path} is not a JSON object",
            expected="an object that names the model's family",
            found=f"JSON of the type {type(config).__name__}",
            remedy="run `./run.sh fetch MANIFEST`: it brings the files of the base",
        )
    return family_of(config)


def check_engine(family: Family, engine: str, serving: str, *, gpu: bool) -> None:
    """Refuse an engine that does not serve the family as it was trained.

    Args:
        engine: `evaluation.engine` of the manifest.
        serving: `evaluation.serving` of the manifest.
        gpu: whether the engine will run on a GPU.

    Raises:
        ModelError: vLLM has no LoRA for the family, or computes something else on a CPU.
    """
    if engine != "vllm":
        return
    if not gpu and not family.vllm_cpu:
        raise ModelError(
            f"vLLM does not serve {family.title} on a CPU",
            expected="attention in both directions among the tokens of an image",
            found="vLLM has it on GPUs alone, so its answers would be those of another model",
            remedy='set evaluation.engine = "transformers", or use a GPU',
        )
    if serving == "adapters" and not family.vllm_lora:
        raise ModelError(
            f"vLLM serves no LoRA adapters on {family.title}",
            expected="an engine that serves them",
            found='evaluation.engine = "vllm" with evaluation.serving = "adapters"',
            remedy='set evaluation.engine = "transformers"; in float32, evaluation.serving = '
            '"merged" works as well',
        )


def _check_part(
    family: Family, config: Mapping[str, Any], part: str, tried: tuple[str, ...]
) -> None:
    """Refuse a language model or vision tower that was not tried with this family."""
    given = config.get(part)
    found = given.get("model_type") if isinstance(given, Mapping) else None
    if tried and found is not None and found not in tried:
        raise ModelError(
            f"the kit does not support {family.title} with {part}.model_type = {found}",
            expected=f"one of {', '.join(tried)}",
            found=f"{found}: it was never tried",
            remedy=REMEDY,
        )
