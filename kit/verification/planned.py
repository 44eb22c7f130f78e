"""Hold a result against the manifest in its own run.json: systems, sources, jobs, cards, files.

The answers say nothing of what was left out of them. The manifest does: who drops the seeds that
went badly, gives a method another's label, or signs a page of invented numbers contradicts it.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, FailFast, StrictStr, ValidationError

from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Column
from kit.digests import canonical_json
from kit.experiment.systems import Design, PlannedAdapter, planned_adapters, planned_systems
from kit.result.layout import ADAPTERS, CARD, RUN, SETS
from kit.result.limits import MAX_SYSTEMS
from kit.result.stored import StoredResult
from kit.result.unusable import unusable
from kit.verification.contradiction import NAMED, contradicts
from kit.verification.files import require_result_files
from kit.verification.planned_files import planned_files
from kit.verification.run_facts import JobFacts, is_later

Entries = Sequence[Mapping[str, Any]]
TOLD = ("name", "target", "method", "label", "seed")  # of a system, in run.json


class _Source(BaseModel):
    name: StrictStr


class _Model(BaseModel):  # the base, or the judge
    source: _Source


class _Experiment(Design):
    """What of a manifest decides systems, adapters and sources."""

    sources: Annotated[tuple[_Source, ...], FailFast()]
    model: _Model
    judge: _Model | None = None


@dataclass(frozen=True)
class Planned:
    """What the manifest in a run.json implies; the names of the sources, base and judge last.

    `entries` holds the manifest's name of the method of each unlearned adapter, and `methods` the
    method's file; the other adapters are fine-tuned. `files` holds what each adapter leaves.
    """

    systems: list[dict[str, object]]
    adapters: dict[str, PlannedAdapter]
    entries: dict[str, str]
    methods: dict[str, str]
    sources: list[str]
    files: dict[str, tuple[str, ...]]


def planned_by(resolved: object, protocol: Protocol) -> Planned:
    """Return the systems, adapters and sources that a resolved manifest implies.

    Args:
        resolved: the manifest, as run.json holds it.
        protocol: that of its benchmark.

    Raises:
        VerificationError: it is no manifest, names something twice, or implies endless systems.
    """
    manifest = _experiment(resolved, protocol)
    one = protocol.one_retain_set
    systems = list(islice(planned_systems(manifest, one_retain_set=one), MAX_SYSTEMS + 1))
    if len(systems) > MAX_SYSTEMS:
        raise unusable(RUN, f"its manifest implies more than {MAX_SYSTEMS} systems")
    models = [manifest.model, *([manifest.judge] if manifest.judge else [])]
    adapters = {each.name: each for each in planned_adapters(manifest, one_retain_set=one)}
    entries = {system.name: system.entry for system in systems if system.entry}
    return Planned(
        [{name: getattr(system, name) for name in TOLD} for system in systems],
        adapters,
        entries,
        {system.name: system.method for system in systems if system.entry},
        [source.name for source in (*manifest.sources, *(each.source for each in models))],
        planned_files(resolved, adapters, entries),
    )


def _experiment(resolved: object, protocol: Protocol) -> _Experiment:
    try:
        manifest = _Experiment.model_validate(resolved)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unusable(RUN, f"manifest.{place}: {first['msg']}") from None
    once: dict[str, Sequence[object]] = {
        "methods.name": [entry.name for entry in manifest.methods],
        "seeds": manifest.seeds,
        "targets": manifest.targets,
    }
    for kind, values in once.items():
        if doubled := [str(value) for value, times in Counter(values).items() if times > 1]:
            raise unusable(RUN, f"manifest.{kind} has {', '.join(doubled[:NAMED])} twice")
    if unknown := set(manifest.targets) - set(protocol.targets):
        raise unusable(RUN, f"manifest.targets: the benchmark has no '{min(unknown)}'")
    return manifest


def require_as_planned(stored: StoredResult, subjects: Collection[str]) -> Planned:
    """Check that a result has all that its manifest implies, and no file that no result has.

    Args:
        stored: the result.
        subjects: the paths of all signed files.

    Returns:
        What its manifest implies.

    Raises:
        VerificationError: systems, sources, jobs or files are others; the first are named.
    """
    run, planned = stored.run, planned_by(stored.run["manifest"], stored.protocol)
    require_two_sides(stored.tables[SETS])
    _require_same("systems", stored.systems, planned.systems)
    sources = [{"name": name} for name in planned.sources]
    _require_same("sources", _listed(run, "sources", ("name",)), sources)
    jobs = [{"name": each.name, "stage": each.stage} for each in planned.adapters.values()]
    _require_same("jobs", _listed(run, "jobs", ("name", "stage")), jobs)
    require_result_files(subjects, planned.files)
    return planned


def _listed(run: Mapping[str, object], part: str, fields: tuple[str, ...]) -> Entries:
    """Return some fields of each entry of a list in run.json."""
    listed = run.get(part)
    if not isinstance(listed, list) or not all(
        isinstance(each, dict) and all(isinstance(each.get(name), str) for name in fields)
        for each in listed
    ):
        raise unusable(RUN, f"its {part} are not a list of objects with {' and '.join(fields)}")
    return [{name: each[name] for name in fields} for each in listed]


def _require_same(part: str, listed: Entries, follow: Entries) -> None:
    """Check that two lists are the same, in the same order: reports count and sort by it."""
    if list(listed) == list(follow):
        return
    there, right = ({each["name"]: each for each in entries} for entries in (listed, follow))
    faults = [f"{name} is missing" for name in right if name not in there]
    faults += [f"{name} is none of the manifest's" for name in there if name not in right]
    faults += [f"{name}: {_others(there[name], right[name])}" for name in right
               if name in there and there[name] != right[name]]  # fmt: skip
    times = Counter(each["name"] for each in listed)
    faults += [f"{name} is listed {count} times" for name, count in times.items() if count > 1]
    raise contradicts(
        f"the {part} of {RUN} are not those of its manifest",
        f"the {len(follow)} that follow from it, in its order",
        faults or ["the same in another order"],
    )


def _others(listed: Mapping[str, Any], right: Mapping[str, Any]) -> str:
    names = [name for name in sorted({*listed, *right}) if listed.get(name) != right.get(name)]
    said = (f"{name} is {listed.get(name)!r}, not {right.get(name)!r}" for name in names)
    return ", ".join(said) or "it has other fields"


def require_card_of_job(
    card: Mapping[str, Any], adapter: str, run: Mapping[str, Any], planned: Planned
) -> None:
    """Check that an adapter's card.json says what run.json says of the job that made it.

    Args:
        card: the content of `adapters/<adapter>/card.json`.
        adapter: the name of its folder.
        run: the content of run.json.
        planned: what its manifest implies.

    Raises:
        VerificationError: they differ in a field that both have, or there is no such job.
    """
    jobs = [job for job in run["jobs"] if job["name"] == adapter]
    if len(jobs) != 1 or adapter not in planned.adapters:
        raise contradicts(
            f"{ADAPTERS}/{adapter} is not of a job of {RUN}", "one job of that name", [adapter]
        )
    asked = vars(planned.adapters[adapter])
    faults = [f"{name} is missing" for name in sorted(asked.keys() - card.keys())]
    if not is_later(run):  # a later version may have added one
        known = asked.keys() | JobFacts.model_fields.keys()
        faults += [f"{name} is no field of a card" for name in sorted(card.keys() - known)]
    faults += [
        f"{name} is {card[name]!r}, not {right[name]!r}"
        for right in (asked, jobs[0])
        for name in sorted(card.keys() & right.keys())
        if canonical_json(card[name]) != canonical_json(right[name])
    ]
    if faults:
        raise contradicts(
            f"{ADAPTERS}/{adapter}/{CARD} says something else than {RUN}",
            "what the job of that name and the manifest say",
            faults,
        )


def require_two_sides(sets: pd.DataFrame) -> None:
    """Check that nothing is at once to be forgotten and to be kept: no benchmark has such a record.

    Raises:
        VerificationError: a record is on both sides of one part of one target.
    """
    place = ["target", "part", "record_id"]
    forgotten, kept = (
        sets.loc[sets["column"] == str(column), place].drop_duplicates()
        for column in (Column.EFFICACY, Column.RETAIN)
    )
    both = forgotten.merge(kept)
    if len(both):
        raise contradicts(
            f"{SETS} has {len(both)} records on both sides of a split",
            f"a record in {Column.EFFICACY} or in {Column.RETAIN}",
            [
                f"{row.record_id} (target {row.target}, part {row.part})"
                for row in both.itertuples()
            ],
        )
