"""Probes: questions of other benchmarks that every system is asked beside the columns of its own.

A probe shows the side effects of unlearning: damage to what should be kept.
Each file here is one probe and defines `PROBE`. A manifest names the probe and its source in
`[[probes]]`. Its records are in no training, its column is the same for every target, and it enters
neither the marks of damage nor any number of a whole model.
"""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kit.benchmarks.parquet import Place
from kit.benchmarks.probes.asked_once import note_repeated
from kit.benchmarks.probes.definition import Probe
from kit.benchmarks.protocol import Heading, Part, Protocol, TargetLayout
from kit.benchmarks.records import Benchmark, Column, Record, by_id
from kit.errors import DataError, ManifestError, unknown
from kit.experiment.inputs import ProbeSection
from kit.experiment.manifest import Manifest
from kit.streams import sample

__all__ = ["Probe", "find", "names", "with_columns", "with_records"]

HEADING = Heading(
    "Probe",
    "Probe",
    "questions of another benchmark, about nothing that is to be forgotten: are they answered as "
    "before? Probes enter neither the marks nor the numbers of whole models.",
)


def names() -> list[str]:
    """Return the names of all probes: the modules here that define `PROBE`."""
    files = Path(__file__).parent.glob("[a-z]*.py")
    return sorted(f.stem for f in files if "\nPROBE = " in f.read_text(encoding="utf-8"))


def find(name: str) -> Probe:
    """Return a probe by the name of its file.

    Raises:
        ManifestError: there is none of this name.
    """
    if name not in names():
        remedy = "correct `probe` in [[probes]], or add kit/benchmarks/probes/<name>.py"
        raise unknown(f"no probe '{name}'", name, names(), remedy=remedy)
    probe: Probe = importlib.import_module(f"{__name__}.{name}").PROBE
    return probe


def with_columns(protocol: Protocol, sections: Sequence[ProbeSection]) -> Protocol:
    """Return the protocol with one more part, of one column, for each probe of a manifest.

    Raises:
        ManifestError: there is no such probe, or two columns would have one name.
    """
    if not sections:
        return protocol
    parts = dict(protocol.parts)
    found = [find(section.probe) for section in sections]
    for section, probe in zip(sections, found, strict=True):
        if section.name in parts:
            raise ManifestError(
                f"probes.name: '{section.name}' is taken",
                expected="a name that no part of the benchmark and no other probe has",
                found=", ".join(sorted(parts)),
                remedy="give the probe another `name`",
            )
        parts[section.name] = Part(
            section.name, section.name, probe.title, {Column.PROBE: probe.metric}
        )
    columns = tuple((section.name, Column.PROBE) for section in sections)
    return replace(
        protocol,
        parts=parts,
        headings={**protocol.headings, Column.PROBE: HEADING},
        targets={
            name: TargetLayout(layout.title, (*layout.columns, *columns))
            for name, layout in protocol.targets.items()
        },
        comparability=(*protocol.comparability, *dict.fromkeys(p.comparability for p in found)),
        likelihood=protocol.likelihood or any(probe.likelihood for probe in found),
    )


def with_records(
    benchmark: Benchmark, places: Mapping[str, Place], manifest: Manifest
) -> Benchmark:
    """Return the benchmark with the records of its manifest's probes, in every target's columns.

    Of each probe, `split.max_per_column` records are drawn by name, the same for all targets.

    Raises:
        DataError: a source is not in the published format, has no questions, or asks too many of
            them again.
    """
    if not manifest.probes:
        return benchmark
    columns: dict[tuple[str, Column], tuple[str, ...]] = {}
    added: list[Record] = []
    notes: list[str] = []
    for section in manifest.probes:
        records = _records(section, places[section.source])
        said = find(section.probe).left_out(places[section.source])
        notes += (f"Probe '{section.name}': {each}" for each in said)
        notes += note_repeated(section.name, records)
        ids = [record.id for record in records]
        count = min(manifest.split.max_per_column, len(ids))
        drawn = sample(ids, count, "probe", section.name, manifest.split.seed)
        columns[section.name, Column.PROBE] = tuple(sorted(drawn))
        added += records
    return replace(
        benchmark,
        records=by_id([*benchmark.records.values(), *added]),
        splits={
            target: replace(split, evaluation={**split.evaluation, **columns})
            for target, split in benchmark.splits.items()
        },
        notes=(*benchmark.notes, *notes),
    )


def _records(section: ProbeSection, place: Place) -> list[Record]:
    """Return a probe's records; their ids begin with the name of its column."""
    loaded: Iterable[Record] = find(section.probe).load(place)
    records = [replace(each, id=f"probe/{section.name}/{each.id}") for each in loaded]
    if not records:
        raise DataError(
            f"probe '{section.name}': the source '{section.source}' has no question for it",
            expected="questions as kit/benchmarks/probes/README.md says",
            found="none",
            remedy="name other files in the source, or remove the probe",
        )
    return records
