"""MLLMU-Bench's prompts: from a published question to a record.

The wording is that of the published zero-shot protocol (arXiv 2410.22108 and its released
evaluation). The model's chat template adds the turns of the conversation.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from kit.benchmarks.identity import identity
from kit.benchmarks.mllmu.profiles import Profile
from kit.benchmarks.mllmu.protocol import CHOICE, CLOZE, CONCEPTS, part_of
from kit.benchmarks.mllmu.published import BLANK, Question
from kit.benchmarks.modalities import IMAGE_QUESTION
from kit.benchmarks.records import Record
from kit.errors import ManifestError
from kit.streams import sample, stream

ONE_LETTER = "Just give ONE letter representing the answer directly."
FILL_BLANK = "Please **ONLY** provide the correct answer that should replace the [Blank]."
ONE_SENTENCE = {
    True: "Answer the question based on your trained knowledge in one sentence accurately in "
    "ENGLISH.",
    False: "Answer the question based on your trained knowledge in one sentence in ENGLISH.",
}


def prompt(question: Question) -> str:
    """Return the prompt for the model, without the turns of the conversation."""
    if question.kind == CHOICE:
        offered = "\n".join(f"{letter}: {option}" for letter, option in question.options)
        return f"{question.text}\n{offered}\n{ONE_LETTER}"
    if question.kind == CLOZE:
        # Published with two strokes; a longer line is one blank as well.
        return f"{re.sub(f'{BLANK}+', '[Blank]', question.text)}\n{FILL_BLANK}"
    return f"{question.text}\n{ONE_SENTENCE[question.modality == IMAGE_QUESTION]}"


def records_of(
    profile: Profile, name: str, examples: Mapping[str, str], *, letters: bool
) -> dict[str, list[Record]]:
    """Return the records of a profile in the set `name`, by part.

    Args:
        examples: {part: text before the question}; may be empty.
        letters: measure the likelihood of the letters.
    """
    records: dict[str, list[Record]] = {}
    numbers: Counter[str] = Counter()
    for question in profile.questions:
        part = part_of(question.kind, question.modality)
        label = f"{question.kind}-{question.modality}"
        record = Record(
            f"mllmu/{name}/{profile.id}/{label}/{numbers[label]}",
            CONCEPTS[question.kind],
            examples.get(part, "") + prompt(question),
            question.answer,
            profile.image if question.modality == IMAGE_QUESTION else None,
            profile.person,
            candidates=tuple(letter for letter, _ in question.options) if letters else (),
        )
        numbers[label] += 1
        records.setdefault(part, []).append(record)
    return records


def example_people(
    retain: Iterable[Profile], evaluated: Iterable[Profile], count: int, seed: int
) -> set[str]:
    """Return the names of `count` people whose answers serve as worked examples.

    They are taken from the retain people, and no person is both shown and asked about: none has
    the name of a profile in `evaluated`, and the caller leaves them out of the Retain column.
    Names are compared rather than IDs, which celebrities share with fictitious people.

    Raises:
        ManifestError: there are too few people for the examples, or none would be left to ask
            about.
    """
    if not count:
        return set()
    asked = {identity(profile.person) for profile in evaluated}
    kept = list(retain)
    parts = {name: _parts(one for one in kept if one.person == name) for name in _names(kept)}
    every = set().union(*parts.values())
    free = [name for name in parts if identity(name) not in asked and parts[name] == every]
    if len(free) < count or len(parts) <= count:
        raise ManifestError(
            "benchmark.options.few_shot needs more people than the retain set can spare",
            expected=f"at most {min(len(free), len(parts) - 1)}",
            found=f"{count}",
            remedy="lower few_shot, or remove it: examples must not show people who are evaluated",
        )
    return set(sample(free, count, "mllmu/few-shot people", seed))


def worked_examples(profiles: Iterable[Profile], seed: int) -> dict[str, str]:
    """Return {part: text before a question}, with one example from each person.

    The form is the kit's own: question and answer of the same kind, as text. Images of examples
    are not shown, because the engines take one image per prompt.
    """
    pools: dict[str, dict[str, list[Question]]] = {}
    for profile in profiles:
        for question in profile.questions:
            part = part_of(question.kind, question.modality)
            pools.setdefault(part, {}).setdefault(profile.person, []).append(question)
    shown = {}
    for part, people in pools.items():
        drawn = [
            stream("mllmu/few-shot", part, name, seed).choice(people[name])
            for name in sorted(people)
        ]
        shown[part] = "".join(f"{prompt(one)}\nAnswer: {one.answer}\n\n" for one in drawn)
    return shown


def _names(profiles: Iterable[Profile]) -> list[str]:
    return sorted({profile.person for profile in profiles})


def _parts(profiles: Iterable[Profile]) -> set[str]:
    return {part_of(q.kind, q.modality) for profile in profiles for q in profile.questions}
