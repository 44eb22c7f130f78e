"""Do weight files, config.json and processor fit each other? Nothing is loaded into memory.

transformers loads the base on torch's meta device: it compares names and shapes of all weights, and
the vision tower computes the shape of its features.
"""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoModelForImageTextToText

from kit.errors import ModelError
from kit.model.base import require_all_weights
from kit.model.families import CONFIG
from kit.model.prompts import Encoded

# Numbered layers of the language model; a vision tower may hold layers that are not used.
LAYER = re.compile(r"^(?!.*(vision|visual)).*\blayers\.\d+\..*weight$")
GRID = "image_grid_thw"
PINPOINTS = "image_grid_pinpoints"
REVISION = f"fetch {CONFIG} and all *.safetensors files of one revision of the base"
PROCESSOR = (
    f"fetch {CONFIG}, processor_config.json, preprocessor_config.json and tokenizer.json of one "
    "revision of the base"
)


def load_empty(folder: Path) -> Any:
    """Return the model of a base without values.

    Raises:
        ModelError: the files lack weights of the model, hold layers that it does not have, or hold
            weights of other shapes.
    """
    loaded: Any = AutoModelForImageTextToText.from_pretrained(
        folder,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        device_map={"": "meta"},
        dtype="auto",
        local_files_only=True,
    )
    model, about = loaded  # a pair, since the report on loading was asked for
    if wrong := sorted(about["mismatched_keys"]):
        name, found, expected = wrong[0]
        raise ModelError(
            f"the weight files in {folder} are not those of its {CONFIG}",
            expected=f"{name} of shape {list(expected)}",
            found=f"shape {list(found)}, and {len(wrong) - 1} other differences",
            remedy=REVISION,
        )
    require_all_weights(folder, about["missing_keys"])
    if more := sorted(filter(LAYER.match, about["unexpected_keys"])):
        raise ModelError(
            f"{folder / CONFIG} describes fewer layers than the weight files hold",
            expected="a model that uses all of their layers",
            found=f"{len(more)} weights have no place, such as {more[0]}",
            remedy=REVISION,
        )
    return model


def require_features(model: Any, encoded: Encoded) -> None:
    """Check that a picture becomes as many features as there are tokens for it.

    Where a model cannot compute without values, nothing is checked: training does it.

    Args:
        model: from `load_empty`.
        encoded: a prompt with one picture.

    Raises:
        ModelError: the vision tower refuses the picture, or the numbers differ.
    """
    token: int | None = getattr(model.config, "image_token_id", None)
    if token is None:
        return
    tokens = encoded.ids.count(token)
    if not tokens:
        raise ModelError(
            "the processor writes another token for images than the model reads",
            expected=f"token {token} (image_token_id in {CONFIG})",
            found=f"none among the tokens {sorted(set(encoded.ids))[:20]}",
            remedy=PROCESSOR,
        )
    features = count_features(model, encoded.images)
    if features is None or features == tokens:
        return
    raise ModelError(
        "the processor writes another number of image tokens than the vision tower has features",
        expected=f"{features} tokens for the test picture",
        found=f"{tokens}",
        remedy=f"{PROCESSOR}; `patch_size` of the processor and of vision_config must be equal",
    )


def require_tiles(model: Any, processor: Any) -> None:
    """Check that processor and model cut a picture into the same tiles (LLaVA-NeXT, OneVision).

    Raises:
        ModelError: they do not, so pictures of some shapes would end training.
    """
    wanted, given = (
        getattr(each, PINPOINTS, None) for each in (model.config, processor.image_processor)
    )
    if wanted is None or given is None or sorted(map(list, wanted)) == sorted(map(list, given)):
        return
    raise ModelError(
        "the processor cuts pictures into other tiles than the model expects",
        expected=f"{PINPOINTS} of {CONFIG}: {sorted(map(list, wanted))[:4]} and so on",
        found=f"{PINPOINTS} of the processor: {sorted(map(list, given))[:4]} and so on",
        remedy=PROCESSOR,
    )


def count_features(model: Any, images: Mapping[str, Tensor]) -> int | None:
    """Return how many features a picture becomes; None where that cannot be computed (Idefics3).

    Raises:
        ModelError: the vision tower refuses the picture.
    """
    if GRID in images:
        return _of_grid(model.config.vision_config, images)
    compute = model.get_image_features
    names = inspect.signature(compute).parameters
    given = {
        name: tensor.to("meta") if name.startswith("pixel_values") else tensor
        for name, tensor in images.items()
        if name in names
    }
    try:
        found = compute(**given, return_dict=True).pooler_output
        parts = [found] if isinstance(found, Tensor) else list(found)
        return sum(part.numel() // part.shape[-1] for part in parts)
    except ValueError as error:
        raise _refused(str(error).splitlines()[0][:300]) from None
    except (RuntimeError, TypeError, AttributeError, LookupError):  # no shapes without values
        return None


def _of_grid(tower: Any, images: Mapping[str, Tensor]) -> int:
    """Return the features of a tower that takes patches (Qwen-VL): its code needs their values.

    Raises:
        ModelError: the processor cuts patches of another size.
    """
    wanted = tower.in_channels * tower.temporal_patch_size * tower.patch_size**2
    found = images["pixel_values"].shape[-1]
    if found != wanted:
        raise _refused(f"{found} values in a patch, not {wanted} (patch_size in vision_config)")
    return int(images[GRID].prod(dim=-1).sum()) // int(tower.spatial_merge_size) ** 2


def _refused(found: str) -> ModelError:
    return ModelError(
        "the vision tower refuses pictures as the processor of the base leaves them",
        expected="pixels of the size that vision_config names",
        found=found,
        remedy=PROCESSOR,
    )
