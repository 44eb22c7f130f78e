"""What the config.json of a base, and the files beside it, must not say.

This module imports no model library: a base is refused before anything large is downloaded.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.errors import ModelError

ADAPTER = "adapter_config.json"
ORIGINAL = "mm_vision_tower"  # a key of checkpoints that LLaVA's own code wrote
QUANTISED = ("quantization_config", "compression_config")
PARTS = ("text_config", "vision_config")


def require_plain_config(title: str, config: Mapping[str, Any]) -> None:
    """Check that a config.json is of transformers' form, and of weights that are not quantised.

    Args:
        title: of the model's family, for the message.

    Raises:
        ModelError: it is not.
    """
    if ORIGINAL in config:
        raise ModelError(
            "the base is a checkpoint of LLaVA's own code, which transformers does not read",
            expected="a checkpoint of transformers: text_config and vision_config in config.json",
            found=f"the key {ORIGINAL}",
            remedy="take the converted one, such as llava-hf/llava-1.5-7b-hf of the hub",
        )
    places: dict[str, object] = {"": config, **{f"{part}.": config.get(part) for part in PARTS}}
    for place, part in places.items():
        stated = part if isinstance(part, Mapping) else {}
        if found := [name for name in QUANTISED if stated.get(name) is not None]:
            raise ModelError(
                f"the base, a {title}, is already quantised",
                expected="weights in bfloat16, float16 or float32: the kit quantises them itself",
                found=f"{place}{found[0]} in config.json",
                remedy="choose the checkpoint that this one was quantised from",
            )


def require_no_adapter(folder: Path) -> None:
    """Check that no adapter lies in the folder of a base.

    transformers would load the model that the adapter names, in place of the one that is here.

    Raises:
        ModelError: there is one.
    """
    if (folder / ADAPTER).is_file():
        raise ModelError(
            f"the base in {folder} has an adapter beside it",
            expected="a whole model: transformers loads the adapter and the model that it names, "
            "not the weights that are here",
            found=ADAPTER,
            remedy=f"leave {ADAPTER} out of `files` of [model.source]; if it belongs to the "
            "base, merge it first, with PEFT: merge_and_unload(), then save_pretrained()",
        )
