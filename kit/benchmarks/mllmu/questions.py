"""MLLMU-Bench's prompts: from a published question to the record that is asked.

The wording is the published protocol's, zero-shot (arXiv 2410.22108 and its released evaluation).
The chat template of the model adds the turns around it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from kit.benchmarks.mllmu.profiles import BLANK, Profile, Question
from kit.benchmarks.mllmu.protocol import CHOICE, CLOZE, CONCEPTS, IMAGE_QUESTION, part_of
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
    """Return what the model is asked, without the turns of the conversation."""
    if question.kind == CHOICE:
        offered = "\n".join(f"{letter}: {said}" for letter, said in question.options)
        return f"{question.text}\n{offered}\n{ONE_LETTER}"
    if question.kind == CLOZE:
        return f"{question.text.replace(BLANK, '[Blank]')}\n{FILL_BLANK}"
    return f"{question.text}\n{ONE_SENTENCE[question.modality == IMAGE_QUESTION]}"


def records_of(
    profile: Profile, name: str, examples: Mapping[str, str], *, letters: bool
) -> dict[str, list[Record]]:
    """Return the records of a profile in the set `name`, by part.

    Args:
        examples: what is shown before the question, by part; may be empty.
        letters: whether the likelihood of the letters is measured.
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
    """Return the names of the people whose answers are shown as worked examples.

    They are set aside from the retain people, so that nobody is both shown and asked about: none
    has the name of one of `evaluated`, and the caller leaves them out of the Retain column. Names
    decide and not IDs, which celebrities share with fictitious people.

    Raises:
        ManifestError: fewer people than examples are left, or none would be left to ask about.
    """
    if not count:
        return set()
    asked = {profile.person.casefold() for profile in evaluated}
    kept = list(retain)
    parts = {name: _parts(one for one in kept if one.person == name) for name in _names(kept)}
    every = set().union(*parts.values())
    free = [name for name in parts if name.casefold() not in asked and parts[name] == every]
    if len(free) < count or len(parts) <= count:
        raise ManifestError(
            "benchmark.options.few_shot needs more people than the retain set can spare",
            expected=f"at most {min(len(free), len(parts) - 1)}",
            found=f"{count}",
            remedy="lower few_shot, or leave it out: examples may show nobody who is evaluated",
        )
    return set(sample(free, count, "mllmu/few-shot people", seed))


def worked_examples(profiles: Iterable[Profile], seed: int) -> dict[str, str]:
    """Return the text that stands before a question, by part: one example of each person.

    The form is the kit's: question and answer of the same kind, as text. The images of examples
    are not shown, because the engines take one image a prompt.
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
