"""Records to tensors: the only place where answer positions are decided.

`kit.model.prompts` expands the image token first, and the answer's tokens are appended to the
result. The mask is therefore right whatever number of tokens an image becomes. Sequences are
left-padded, which right-aligns the answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from kit.benchmarks.records import Record
from kit.failures import at
from kit.model.cache import ByteBoundedCache, TokenCache
from kit.model.prompts import Encoded, PromptEncoder

BATCH = 32  # prompts in one forward pass of generation or scoring
TEXT = 0  # the kind of a token that belongs to no image
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
    that ask for it, kinds of tokens such as `mm_token_type_ids`, of the shape of `input_ids`."""
    answer_ids: Tensor
    """Tokens of the answers with the end token, int64, [B, T]."""
    answer_mask: Tensor
    """1 on answer and end tokens, 0 on padding, float32, [B, T]."""


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
        self._device, self._pad = device, padding_token(processor.tokenizer)
        self._encoder = PromptEncoder(processor)
        self.media_ids, self.media_marks = self._encoder.media_ids, self._encoder.media_marks
        self._prompt = ByteBoundedCache(self._encoder, Encoded.bytes, cache_bytes)
        self._answer = TokenCache(self._encoder.answer)

    def __call__(self, records: Sequence[Record]) -> Batch:
        """Return one batch; image inputs are concatenated in record order."""
        return self.given(records, [self.answer_tokens(each, each.answer) for each in records])

    def given(self, records: Sequence[Record], answers: Sequence[list[int]]) -> Batch:
        """Return a batch of the records' prompts with other answers, given as tokens.

        None of the tokens may stand for an image (`media_ids`): the model would look for one.
        """
        prompts = [self._encoded(record) for record in records]
        answer_ids, answer_mask = _padded(answers, self._pad)
        return Batch(
            tuple(record.id for record in records),
            self._inputs(prompts, answers),
            answer_ids.to(self._device),
            answer_mask.to(self._device, torch.float32),
        )

    def prompts(self, records: Sequence[Record]) -> Prompts:
        """Return the records' prompts without answers."""
        prompts = [self._encoded(record) for record in records]
        inputs = self._inputs(prompts, [[] for _ in prompts])
        return Prompts(tuple(record.id for record in records), inputs)

    def encode(self, records: Sequence[Record]) -> list[int]:
        """Encode records ahead of their batch, and return their lengths in tokens."""
        return [
            len(self._encoded(record).ids) + len(self.answer_tokens(record, record.answer))
            for record in records
        ]

    def answer_tokens(self, record: Record, answer: str) -> list[int]:
        """Return the tokens of `answer` to the record's question, end token included."""
        return self._answer(record.question, answer, with_image=record.image is not None)

    def answers(self, rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        """Return tokens [B, T] and mask [B, T] of answers, left-aligned: they follow prompts."""
        ids, mask = _padded(rows, self._pad, right=True)
        return ids.to(self._device), mask.to(self._device)

    def _encoded(self, record: Record) -> Encoded:
        with at(f"record {record.id}"):
            return self._prompt(record.image, record.question)

    def _inputs(
        self, prompts: Sequence[Encoded], answers: Sequence[list[int]]
    ) -> dict[str, Tensor]:
        pairs = list(zip(prompts, answers, strict=True))
        ids, attention = _padded([prompt.ids + answer for prompt, answer in pairs], self._pad)
        inputs = {"input_ids": ids, "attention_mask": attention}
        for name in prompts[0].kinds:  # all prompts have the same
            kinds = [prompt.kinds[name] + [TEXT] * len(answer) for prompt, answer in pairs]
            inputs[name], _ = _padded(kinds, TEXT)
        for name in sorted({name for prompt in prompts for name in prompt.images}):
            inputs[name] = _joined([p.images[name] for p in prompts if name in p.images])
        return {name: tensor.to(self._device) for name, tensor in inputs.items()}


def padding_token(tokenizer: Any) -> int:
    """Return the token that fills a batch: padding is out of attention, so any token does."""
    own = tokenizer.pad_token_id
    return int(tokenizer.eos_token_id if own is None else own)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Concatenate along the first axis; the other axes are padded with zeros at their ends.

    Images of different sizes have different numbers of patches (LLaVA-NeXT, LLaVA-OneVision,
    Idefics3). Processors pad a batch in the same way, and the models leave the padding out.
    """
    shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    padded = []
    for part in parts:
        missing = [most - size for most, size in zip(shape, part.shape[1:], strict=True)]
        sides = [side for more in reversed(missing) for side in (0, more)]
        padded.append(pad(part, sides) if any(missing) else part)
    return torch.cat(padded)


def _padded(
    rows: Sequence[list[int]], filler: int, *, right: bool = False
) -> tuple[Tensor, Tensor]:
    """Return tokens and mask, [B, longest row]; padding is on the left unless `right`."""
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), filler)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        span = slice(0, len(row)) if right else slice(width - len(row), width)
        ids[index, span] = torch.tensor(row)
        mask[index, span] = 1
    return ids, mask
