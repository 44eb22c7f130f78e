"""Records to tensors: the only place where answer positions are decided.

The processor expands the image token first, and the answer's tokens are appended to the result.
The mask is therefore right whatever number of tokens an image becomes. Sequences are left-padded,
which right-aligns the answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from kit.benchmarks.records import Record
from kit.errors import DataError, ModelError
from kit.model.cache import ByteBoundedCache

BATCH = 32  # prompts in one forward pass of generation or scoring
TEXT = 0  # in mm_token_type_ids
PROMPT_CACHE_BYTES = 1_000_000_000  # an encoded prompt with a large image takes 25 MB


@dataclass(frozen=True)
class Batch:
    """Inputs of one forward pass over B records, and the answers to score.

    P is the longest prompt and T the longest answer. Answers are right-aligned: column -1 is the
    end token of every answer.
    """

    record_ids: tuple[str, ...]
    inputs: dict[str, Tensor]
    """The model's arguments: `input_ids` and `attention_mask`, up to [B, P + T], left-padded; image
    tensors such as `pixel_values`, concatenated in record order, [images, ...]; and, for models
    that ask for it, `mm_token_type_ids` of the shape of `input_ids`."""
    answer_ids: Tensor
    """Tokens of the answers with the end token, int64, [B, T]."""
    answer_mask: Tensor
    """1 on answer and end tokens, 0 on padding, float32, [B, T]."""


def open_image(path: Path) -> Image.Image:
    """Decode an image file.

    Raises:
        DataError: the file is missing, truncated or not an image.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except FileNotFoundError:
        found = "no such file"
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        found = str(error)
    raise DataError(
        f"image {path} cannot be read",
        found=found,
        remedy="run `./run.sh fetch`, which checks every byte and restores what differs",
    )


def chat_prompt(processor: Any, question: str, *, with_image: bool) -> str:
    """Return the text that the model answers, by the processor's own chat template."""
    content: list[dict[str, str]] = [{"type": "image"}] if with_image else []
    content.append({"type": "text", "text": question})
    messages = [{"role": "user", "content": content}]
    return str(processor.apply_chat_template(messages, add_generation_prompt=True))


def answer_text(processor: Any, question: str, answer: str, *, with_image: bool) -> str:
    """Return what the chat template appends to the prompt for `answer`, end token included.

    Raises:
        ModelError: the chat template changes the prompt when an answer follows.
    """
    prompt = chat_prompt(processor, question, with_image=with_image)
    content: list[dict[str, str]] = [{"type": "image"}] if with_image else []
    content.append({"type": "text", "text": question})
    messages = [
        {"role": "user", "content": content},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    whole = str(processor.apply_chat_template(messages))
    following = whole[len(prompt) :]
    if not whole.startswith(prompt) or answer not in following:
        raise ModelError(
            "the chat template does not append the answer to the prompt",
            expected=f"{prompt!r} followed by the answer",
            found=repr(whole),
        )
    end = processor.tokenizer.eos_token
    text = following.rstrip()
    return text if text.endswith(end) else text + end


@dataclass(frozen=True)
class Encoded:
    """A prompt as the processor encodes it.

    `kinds` says which tokens belong to an image; it is None where the model does not use
    `mm_token_type_ids`. A model that needs them but gets none silently positions image tokens as if
    they were text.
    """

    ids: list[int]
    kinds: list[int] | None
    images: dict[str, Tensor]
    """Image inputs of the model, such as `pixel_values`, for one image: [1, ...]."""

    def bytes(self) -> int:
        """Return about how much memory it takes."""
        return 64 * len(self.ids) + sum(tensor.nbytes for tensor in self.images.values())


@dataclass(frozen=True)
class Prompts:
    """Inputs of one forward pass over prompts alone, left-padded: [B, P]."""

    record_ids: tuple[str, ...]
    inputs: dict[str, Tensor]


class Batcher:
    """Encodes records with one processor and stacks them to batches; encoded prompts are cached."""

    def __init__(
        self, processor: Any, device: torch.device, cache_bytes: int = PROMPT_CACHE_BYTES
    ) -> None:
        self._processor, self._device = processor, device
        self._pad = processor.tokenizer.pad_token_id
        self._prompt = ByteBoundedCache(self._encode_prompt, Encoded.bytes, cache_bytes)
        self._answer = lru_cache(maxsize=2048)(self._encode_answer)

    def __call__(self, records: Sequence[Record]) -> Batch:
        """Return one batch; image inputs are concatenated in record order."""
        prompts = [self._prompt(record.image, record.question) for record in records]
        answers = [self.answer_tokens(record, record.answer) for record in records]
        answer_ids, answer_mask = _padded(answers, self._pad)
        return Batch(
            tuple(record.id for record in records),
            self._inputs(prompts, answers),
            answer_ids.to(self._device),
            answer_mask.to(self._device, torch.float32),
        )

    def prompts(self, records: Sequence[Record]) -> Prompts:
        """Return the records' prompts without answers."""
        prompts = [self._prompt(record.image, record.question) for record in records]
        inputs = self._inputs(prompts, [[] for _ in prompts])
        return Prompts(tuple(record.id for record in records), inputs)

    def answer_tokens(self, record: Record, answer: str) -> list[int]:
        """Return the tokens of `answer` to the record's question, end token included."""
        return self._answer(record.question, answer, record.image is not None)

    def answers(self, rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        """Return tokens [B, T] and mask [B, T] of answers, left-aligned: they follow prompts."""
        ids, mask = _padded(rows, self._pad, right=True)
        return ids.to(self._device), mask.to(self._device)

    def _inputs(
        self, prompts: Sequence[Encoded], answers: Sequence[list[int]]
    ) -> dict[str, Tensor]:
        pairs = list(zip(prompts, answers, strict=True))
        ids, attention = _padded([prompt.ids + answer for prompt, answer in pairs], self._pad)
        inputs = {"input_ids": ids, "attention_mask": attention}
        if any(prompt.kinds for prompt in prompts):
            kinds = [(p.kinds or [TEXT] * len(p.ids)) + [TEXT] * len(answer) for p, answer in pairs]
            inputs["mm_token_type_ids"], _ = _padded(kinds, TEXT)
        for name in sorted({name for prompt in prompts for name in prompt.images}):
            inputs[name] = torch.cat([p.images[name] for p in prompts if name in p.images])
        return {name: tensor.to(self._device) for name, tensor in inputs.items()}

    def _encode_prompt(self, path: Path | None, question: str) -> Encoded:
        prompt = chat_prompt(self._processor, question, with_image=path is not None)
        if path is None:
            return Encoded(self._text_ids(prompt), None, {})
        # Only the processor knows how many tokens an image of this size becomes.
        encoded = self._processor(
            images=open_image(path), text=prompt, add_special_tokens=False, return_tensors="pt"
        )
        kinds = encoded.get("mm_token_type_ids")
        images = {
            name: value
            for name, value in encoded.items()
            if name.startswith(("pixel_values", "image_"))
        }
        ids = encoded["input_ids"][0].tolist()
        return Encoded(ids, None if kinds is None else kinds[0].tolist(), images)

    def _encode_answer(self, question: str, answer: str, with_image: bool) -> list[int]:
        text = answer_text(self._processor, question, answer, with_image=with_image)
        return self._text_ids(text)

    def _text_ids(self, text: str) -> list[int]:
        return list(self._processor.tokenizer(text, add_special_tokens=False)["input_ids"])


def _padded(rows: Sequence[list[int]], pad: int, *, right: bool = False) -> tuple[Tensor, Tensor]:
    """Return tokens and mask, [B, longest row]; padding is on the left unless `right`."""
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        span = slice(0, len(row)) if right else slice(width - len(row), width)
        ids[index, span] = torch.tensor(row)
        mask[index, span] = 1
    return ids, mask
