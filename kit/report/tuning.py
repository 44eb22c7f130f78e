"""What a report says of tuning: the mark of each method, and the table of all attempts."""

from collections.abc import Iterator, Mapping
from typing import TypedDict

from kit.experiment.choice import Tuning, tuning_of
from kit.experiment.settings import TuneSection
from kit.report.run_types import Run

UNTUNED = (
    "Untuned: the manifest declares no tuning. Every method has the values of its entry, or the "
    "defaults of its file."
)
VALIDATION = (
    "VALIDATION PART: the systems were asked about images that serve tuning alone. Nothing here is "
    "a result of the experiment."
)


class TriedFacts(TypedDict):
    """One attempt as the report prints it."""

    entry: str
    label: str
    name: str
    words: str
    distances: Mapping[str, float]
    distance: float
    steps: int
    chosen: bool
    fault: str


class TuningFacts(TypedDict):
    """The tuning of a result; `attempts` is empty where the manifest names no choice.

    `marks` maps each method's entry to what tables call it: tuned, untuned or attempt.
    """

    marks: Mapping[str, str]
    notes: list[str]
    seeds: list[int]
    records: int
    attempts: list[TriedFacts]


def tuning_facts(run: Run) -> TuningFacts | None:
    """Return what a result says of tuning; None where its manifest has no section `[tune]`."""
    section = run["manifest"].get("tune")
    if section is None:
        return None
    stated = run.get("tuning")
    tuning = None if stated is None else tuning_of(stated)
    said = TuneSection.model_validate(section)
    return {
        "marks": {
            entry["name"]: _mark(entry["name"], said, tuning)
            for entry in run["manifest"]["methods"]
        },
        "notes": list(_notes(run, said, tuning)),
        "seeds": list(said.seeds),
        "records": len(tuning.validation) if tuning else 0,
        "attempts": list(_attempts(run, tuning)) if tuning else [],
    }


def _mark(entry: str, section: TuneSection, tuning: Tuning | None) -> str:
    if section.asks == "validation":
        return "attempt"
    return "tuned" if tuning is not None and tuning.chosen(entry) else "untuned"


def validation_warning(run: Run) -> list[str]:
    """Return a warning for a result of tuning, which reports the validation part."""
    section = run["manifest"].get("tune")
    return [VALIDATION] if section is not None and section["asks"] == "validation" else []


def _notes(run: Run, section: TuneSection, tuning: Tuning | None) -> Iterator[str]:
    if section.asks == "validation":
        yield VALIDATION
        return
    if tuning is None:
        yield (
            "No method is tuned: the manifest has a section [tune] and names no choice. The images "
            "of its validation part are in no column."
        )
        return
    yield tuning.words
    counts = dict.fromkeys(section.methods, 0)
    for each in tuning.attempts:
        counts[each.entry] += 1
    names = {entry["name"]: entry["label"] for entry in run["manifest"]["methods"]}
    for entry, count in counts.items():
        alone = entry not in section.parameters
        yield (
            f"{names[entry]}: {count} attempts"
            + (", of the learning rate alone: the grid has no option for it" if alone else "")
            + ("." if tuning.choices[entry] else ". All had broken answers, so it stays untuned.")
        )


def _attempts(run: Run, tuning: Tuning) -> Iterator[TriedFacts]:
    names = {entry["name"]: entry["label"] for entry in run["manifest"]["methods"]}
    for each in tuning.attempts:
        yield {
            "entry": each.entry,
            "label": names[each.entry],
            "name": each.name,
            "words": each.attempt.words,
            "distances": each.distances,
            "distance": each.distance,
            "steps": each.steps,
            "chosen": tuning.choices[each.entry] == each.name,
            "fault": each.fault,
        }
