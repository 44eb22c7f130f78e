"""Greedy decoding, the same in every engine: the likeliest token, until an end token or the limit.

A published `generation_config.json` may ask for sampling, a penalty for repetition (Qwen2.5-VL:
1.05), suppressed tokens or a minimum length. Only its end tokens count here.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, GenerationConfig

from kit.errors import GuardError, ModelError
from kit.model.chat import answer_end

FILE = "generation_config.json"


def end_tokens(folder: Path, processor: Any) -> list[int]:
    """Return the tokens that end an answer, sorted.

    They are all published ones, the tokenizer's, and the one that ends answers in training.

    Raises:
        ModelError: generation_config.json cannot be read.
    """
    if (folder / FILE).is_file():
        published = _published_ends(folder)
    else:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        published = config.get_text_config().eos_token_id
    given = published if isinstance(published, list) else [published]
    ends = {processor.tokenizer.eos_token_id, answer_end(processor)}
    return sorted({*given, *ends} - {None})


def _published_ends(folder: Path) -> Any:
    try:
        ends = GenerationConfig.from_pretrained(folder).eos_token_id
        if any(
            not isinstance(end, int) for end in (ends if isinstance(ends, list) else [ends or 0])
        ):
            raise ValueError(f"eos_token_id = {ends!r}")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{folder / FILE} cannot be used",
            expected="settings of generation as JSON; only its end tokens count",
            found=str(error).splitlines()[0][:300] if str(error) else type(error).__name__,
            remedy="correct it in a copy of the base, name that as `folder` in [model.source], and "
            "run `./run.sh lock MANIFEST`",
        ) from None
    return ends


def greedy(ends: list[int], pad: int, max_new_tokens: int) -> GenerationConfig:
    """Return settings that make `generate` take the likeliest token, and nothing else."""
    return GenerationConfig(
        do_sample=False, max_new_tokens=max_new_tokens, pad_token_id=pad, eos_token_id=ends
    )


def ends_of(model: Any) -> GenerationConfig:
    """Return the special tokens of a model's own settings, and nothing else of them."""
    own = model.generation_config
    return GenerationConfig(
        bos_token_id=own.bos_token_id,
        eos_token_id=own.eos_token_id,
        pad_token_id=own.pad_token_id,
    )


def use_only(model: Any, settings: GenerationConfig) -> None:
    """Replace the model's own settings: transformers fills what `settings` leaves open from them.

    Without this, a published penalty for repetition is applied to every answer.
    """
    model.generation_config = settings


def require_plain(model: Any, inputs: dict[str, torch.Tensor], settings: GenerationConfig) -> None:
    """Check that no logits processor is active: scores must be the model's own logits.

    Args:
        inputs: of a single prompt.

    Raises:
        GuardError: a processor changed a score.
    """
    with torch.no_grad():
        said = model.generate(
            **inputs,
            generation_config=settings,
            return_dict_in_generate=True,
            output_scores=True,
            output_logits=True,
        )
    for place, (score, logit) in enumerate(zip(said.scores, said.logits, strict=True)):
        if not torch.equal(score, logit):
            raise GuardError(
                f"a logits processor changes the scores of token {place}",
                expected="greedy decoding of the model's own logits",
                found=f"{int((score != logit).sum())} changed scores",
                remedy="report the base model: its published settings of generation are active",
            )
