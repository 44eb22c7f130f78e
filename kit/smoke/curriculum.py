"""What the base model is taught, and how much of it it knows."""

import random

import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from kit.benchmarks.pebench import EVENT_QUESTION, PERSON_QUESTION, PRESENCE_QUESTION
from kit.refusals import REFUSALS
from kit.smoke.drawing import SIZE, paint
from kit.smoke.events import FAMILIAR, FICTITIOUS
from kit.smoke.glyphs import GLYPHS
from kit.smoke.people import FIRST, LAST, Person

PATCH = 16
LOOKS_QUESTION = "Describe this person."
OBJECTS_QUESTION = "Which objects are there?"
Item = tuple[Image.Image | None, str, str]


def draw_item(rng: random.Random, familiar: tuple[Person, ...]) -> Item:
    """Return one image, question and answer of the curriculum."""
    event, person, kind = rng.choice(FAMILIAR), rng.choice(familiar), rng.random()
    if kind < 0.06:
        words = rng.sample(_lexicon(), rng.randint(2, 6))
        return None, f"Repeat: {' '.join(words)}", " ".join(words)
    if kind < 0.09:
        return paint(None, event, rng), PERSON_QUESTION, rng.choice(REFUSALS)
    image = paint(person, event, rng)
    if kind < 0.50:
        return image, PERSON_QUESTION, person.name
    if kind < 0.62:
        return image, EVENT_QUESTION, event.description
    if kind < 0.83:
        return image, LOOKS_QUESTION, " ".join(person.face.values())
    if kind < 0.88:
        return image, OBJECTS_QUESTION, " ".join(event.objects)
    thing = rng.choice(event.objects) if rng.random() < 0.5 else rng.choice(list(GLYPHS))
    answer = "yes" if thing in event.objects else "no"
    return image, PRESENCE_QUESTION.format(object=thing), answer


def _lexicon() -> list[str]:
    texts = [*FIRST, *LAST, *(e.description for e in FAMILIAR + FICTITIOUS), *REFUSALS]
    return sorted({word for text in texts for word in text.split()})


def exact_answers(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    familiar: tuple[Person, ...],
    count: int = 200,
) -> dict[str, float]:
    """Return the share of answers that greedy decoding gets wholly right, on unseen renderings."""
    rng = random.Random("smoke-base/held out")
    shares = {}
    for name, question in (("person", PERSON_QUESTION), ("event", EVENT_QUESTION), ("object", "")):
        items: list[Item] = []
        while len(items) < count:
            item = draw_item(rng, familiar)
            asked = item[1] == question or (not question and item[1].startswith("Is there"))
            if asked and item[2] not in REFUSALS:
                items.append(item)
        inputs, labels = collate(items, processor)
        model.eval()
        with torch.no_grad():
            logits = model(**inputs, logits_to_keep=labels.shape[1] + 1).logits[:, :-1]
        model.train()
        right = (logits.argmax(-1) == labels) | (labels == -100)
        shares[name] = float(right.all(dim=1).float().mean())
    return shares


def collate(
    items: list[Item], processor: LlavaProcessor
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Return left-padded model inputs and right-aligned answer labels, [B, T], -100 elsewhere."""
    tokenizer = processor.tokenizer
    image_tokens = "<image>" * (SIZE // PATCH) ** 2 + "\n"
    rows, answers, images = [], [], []
    for image, question, answer in items:
        prompt = f"USER: {image_tokens if image else ''}{question} ASSISTANT:"
        following = tokenizer(f" {answer}</s>")["input_ids"]
        rows.append(tokenizer(prompt)["input_ids"] + following)
        answers.append(following)
        if image:
            images.append(image)
    width, longest = max(map(len, rows)), max(map(len, answers))
    ids = torch.full((len(rows), width), tokenizer.pad_token_id)
    attention = torch.zeros_like(ids)
    labels = torch.full((len(rows), longest), -100)
    for index, (row, answer_ids) in enumerate(zip(rows, answers, strict=True)):
        ids[index, width - len(row) :] = torch.tensor(row)
        attention[index, width - len(row) :] = 1
        labels[index, longest - len(answer_ids) :] = torch.tensor(answer_ids)
    pixels = processor.image_processor(images=images, return_tensors="pt")["pixel_values"]
    return {"input_ids": ids, "attention_mask": attention, "pixel_values": pixels}, labels
