"""Train the base model on its curriculum, and measure how much of it the model knows."""

import math
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import torch
from torch.nn.functional import cross_entropy
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from kit.console import say
from kit.smoke.curriculum import CHOICES, KINDS, REWORDED, WORDS, WORLD, Item, draw, draw_item
from kit.smoke.drawing import SIZE
from kit.smoke.people import people

BATCH = 96  # items
WARMUP_STEPS = 100
PATCH = 16  # pixels
HELD_OUT = 200  # items per kind
CHECK_STEPS = 200  # from one check to the next


@dataclass(frozen=True)
class Course:
    """Training under one learning-rate schedule; `lessons` are (steps, weights of the kinds)."""

    lessons: tuple[tuple[int, Mapping[str, int]], ...]
    learning_rate: float

    @property
    def steps(self) -> int:
        """The number of steps."""
        return sum(steps for steps, _ in self.lessons)

    def weights(self) -> Iterator[Mapping[str, int]]:
        """Yield the weights of each step."""
        for steps, weights in self.lessons:
            yield from repeat(weights, steps)


COURSES = (
    Course(((800, WORDS), (2600, WORLD)), 2e-3),
    Course(((1200, CHOICES),), 1e-3),
    Course(((1000, REWORDED),), 1e-3),
)


def pretrain(
    model: LlavaForConditionalGeneration, processor: LlavaProcessor, courses: Sequence[Course]
) -> list[str]:
    """Train all parameters; return one line per check on held-out items."""
    started, lines = time.monotonic(), []
    for number, course in enumerate(courses, 1):
        for step, loss in _take(course, f"smoke-base/{number}", model, processor):
            if step % CHECK_STEPS and step != course.steps:
                continue
            shares = exact_answers(model, processor)
            text = ", ".join(f"{kind} {share:.2f}" for kind, share in shares.items())
            lines.append(f"course {number}, step {step}: loss {loss:.3f}; {text}")
            seconds = time.monotonic() - started
            say(f"smoke-base: {lines[-1]} ({seconds:.0f} s)")
    return lines


def _take(
    course: Course, name: str, model: LlavaForConditionalGeneration, processor: LlavaProcessor
) -> Iterator[tuple[int, float]]:
    """Train on a course; yield the number of each step, from 1, and its loss."""
    _, familiar = people()
    rng = random.Random(name)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=course.learning_rate, weight_decay=0.05, betas=(0.9, 0.98)
    )
    model.train()
    for step, weights in enumerate(course.weights()):
        factor = 0.51 + 0.49 * math.cos(math.pi * step / course.steps)
        for group in optimizer.param_groups:
            group["lr"] = course.learning_rate * min(1.0, (step + 1) / WARMUP_STEPS) * factor
        items = [draw_item(rng, familiar, weights) for _ in range(BATCH)]
        optimizer.zero_grad()
        loss = _accumulate(model, [collate(part, processor) for part in _by_sight(items)])
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield step + 1, loss


def exact_answers(
    model: LlavaForConditionalGeneration, processor: LlavaProcessor, count: int = HELD_OUT
) -> dict[str, float]:
    """Return, by kind, the share of items whose every answer token is the most likely one.

    The pictures are renderings that training does not use.
    """
    _, familiar = people()
    shares = {}
    model.eval()
    for kind in KINDS:
        rng = random.Random(f"smoke-base/held out/{kind}")
        parts = _by_sight(draw(kind, rng, familiar) for _ in range(count))
        right = 0
        for part in parts:
            inputs, labels = collate(part, processor)
            with torch.no_grad():
                logits = model(**inputs, logits_to_keep=labels.shape[1] + 1).logits[:, :-1]
            right += int(((logits.argmax(-1) == labels) | (labels == -100)).all(dim=1).sum())
        shares[kind] = right / count
    model.train()
    return shares


def collate(
    items: list[Item], processor: LlavaProcessor
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Return a batch of B items.

    Returns:
        Model inputs, left-padded: `input_ids` and `attention_mask` [B, P], `pixel_values` of the
        images. Answer labels [B, T], right-aligned, -100 elsewhere.
    """
    tokenizer = processor.tokenizer
    image_tokens = "<image>" * (SIZE // PATCH) ** 2 + "\n"
    rows, answers = [], []
    for image, question, answer in items:
        prompt = f"USER: {image_tokens if image else ''}{question} ASSISTANT:"
        following = tokenizer(f" {answer}</s>")["input_ids"]
        rows.append(tokenizer(prompt)["input_ids"] + following)
        answers.append(following)
    width, longest = max(map(len, rows)), max(map(len, answers))
    ids = torch.full((len(rows), width), tokenizer.pad_token_id)
    attention = torch.zeros_like(ids)
    labels = torch.full((len(rows), longest), -100)
    for index, (row, answer_ids) in enumerate(zip(rows, answers, strict=True)):
        ids[index, width - len(row) :] = torch.tensor(row)
        attention[index, width - len(row) :] = 1
        labels[index, longest - len(answer_ids) :] = torch.tensor(answer_ids)
    inputs = {"input_ids": ids, "attention_mask": attention}
    if images := [item.image for item in items if item.image]:
        pixels = processor.image_processor(images=images, return_tensors="pt")["pixel_values"]
        inputs["pixel_values"] = pixels
    return inputs, labels


def _by_sight(items: Iterable[Item]) -> list[list[Item]]:
    """Separate items with and without images: text needs no vision tower, and padding shrinks."""
    drawn = list(items)
    parts = [[one for one in drawn if (one.image is None) is blind] for blind in (False, True)]
    return [part for part in parts if part]


def _accumulate(
    model: LlavaForConditionalGeneration, parts: list[tuple[dict[str, torch.Tensor], torch.Tensor]]
) -> float:
    """Accumulate the gradients of a batch; return its mean loss per answer token."""
    tokens = sum(int((labels != -100).sum()) for _, labels in parts)
    mean = 0.0
    for inputs, labels in parts:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(**inputs, logits_to_keep=labels.shape[1] + 1).logits[:, :-1]
        summed = cross_entropy(logits.float().flatten(0, 1), labels.flatten(), reduction="sum")
        (summed / tokens).backward()
        mean += summed.item() / tokens
    return mean
