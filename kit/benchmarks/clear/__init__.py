"""CLEAR (arXiv 2410.18057): people by picture and by text, from its published configurations.

`forgetXX` and `retainYY` are the published splits of 1, 5 or 10 % of the people. The vanilla model
is trained on both, the retain-only model on the second. Captions and names are asked about images;
questions about people come without an image (the `+tofu` configurations). Forget is measured on the
records of the forgotten people that the vanilla model was trained on. Retain is measured on
`retain_perturbed`, because only its rows have perturbations; they are separate records. If it is
missing, Retain is measured on the retain rows.

Left out are: odd rows, which are counted (`kit.benchmarks.left_out`), duplicate rows
(`clear.tables`), the name question of a row without a name (one person is published without a
name), candidates that equal the answer, the truth ratio of a row without perturbations, and rows of
`full` that are on neither side of the split (published counts are off by a few).

A person may be spelt in several ways within one side: the first spelling counts, and a note says
so. In different spellings on both sides, the split is refused (`kit.benchmarks.identity`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kit.benchmarks.clear.protocol import (
    CAPTION,
    COMPARABILITY,
    HEADINGS,
    NAME,
    PARTS,
    QA,
    READING,
    TABLES,
    TARGETS,
)
from kit.benchmarks.clear.real import real_faces, real_world
from kit.benchmarks.clear.records import (
    PERTURBED,
    Alternatives,
    alternatives_of,
    image_records,
    matched_alternatives,
    text_records,
)
from kit.benchmarks.clear.rows import Row, respelt
from kit.benchmarks.clear.split import SPLITS, Halves, Side, check_kept, read_split
from kit.benchmarks.clear.tables import has_config, image_rows, read_config, usable
from kit.benchmarks.left_out import OddRows
from kit.benchmarks.parquet import Place
from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Benchmark, Column, Concept, Record, Split, by_id
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest
from kit.streams import sample

__all__ = ["PROTOCOL", "load", "real_faces"]

SOURCE, RETAIN_PERTURBED, GENERAL = "clear", "retain_perturbed", "general"
PERCENTS = tuple(SPLITS)

PROTOCOL = Protocol(
    parts=PARTS,
    headings=HEADINGS,
    targets=TARGETS,
    tables=TABLES,
    reading=READING,
    comparability=COMPARABILITY,
    likelihood=True,
    one_retain_set=True,
    # No holdout: no published configuration shows people that neither training nor the base knows.
    kept_facts=frozenset({"text", "visual"}),
)


def load(places: Mapping[str, Place], manifest: Manifest) -> Benchmark:
    """Return all records and the split of each of the manifest's targets.

    Raises:
        DataError: a configuration, column or cell is not as published, or a part of the forget
            side is also on the retain side.
        ManifestError: rehearsal is requested, and the source has no general records.
    """
    place, odd = places[SOURCE], OddRows()
    halves = read_split(place, manifest.split.forget_percent, odd)
    forgotten, kept = halves.forget, halves.retain
    general = _rehearsal(place, odd) if manifest.finetune.rehearsal else []
    others = matched_alternatives(place, f"{forgotten.config}_perturbed", forgotten.images, odd)
    forget_seen, forget_read = image_records(forgotten.images, others), _text_records(forgotten)
    retain_seen, retain_read = image_records(kept.images), _text_records(kept)
    perturbed = _perturbed_retain(place, halves, odd)
    faces, world = real_faces(place, odd), real_world(place, odd)
    forget, retain = [*forget_seen, *forget_read], [*retain_seen, *retain_read]
    columns = {
        **_by_part(Column.EFFICACY, forget),
        **_by_part(Column.RETAIN, [*(perturbed or retain_seen), *retain_read]),
        (NAME, Column.REAL): faces,
        **{(part, Column.WORLD): world for part in PARTS},
    }
    evaluation = {key: _drawn(*key, chosen, manifest) for key, chosen in columns.items()}
    learnt = {"text": forget_read, "visual": forget_seen, "multimodal": forget}
    splits = {
        target: Split(target, _ids(learnt[target]), _ids(retain), evaluation)
        for target in manifest.targets
    }
    records = by_id([*forget, *retain, *perturbed, *faces, *world, *general])
    return Benchmark(
        manifest.benchmark.loader,
        records,
        _ids([*forget, *retain]),
        splits,
        _ids(general),
        halves.notes,
        odd.left_out(),
    )


def _text_records(side: Side) -> list[Record]:
    return text_records(side.texts, side.names)


def _perturbed_retain(place: Place, halves: Halves, odd: OddRows) -> list[Record]:
    """Return the image records of retain_perturbed; [] if the source does not have it."""
    if not has_config(place, RETAIN_PERTURBED):
        return []
    rows = image_rows(place, RETAIN_PERTURBED, odd, PERTURBED)
    check_kept(rows, halves.forget, halves.retain)
    found: dict[int, Alternatives] = {row.number: alternatives_of(row) for row in rows}
    return image_records(respelt(rows, halves.spelling), found)


def _rehearsal(place: Place, odd: OddRows) -> list[Record]:
    """Return general records: a caption and a name of each image row that has them, and answers."""
    if not has_config(place, GENERAL):
        raise ManifestError(
            f"finetune.rehearsal is set, and the source has no configuration '{GENERAL}'",
            expected=f"a configuration '{GENERAL}', which the published CLEAR does not have",
            found=", ".join(sorted({path.parent.name for path in place.all_tables()})),
            remedy="set finetune.rehearsal = 0",
        )
    columns = ("caption", "name", "question", "answer")

    def check(row: Row) -> None:
        for column in columns:
            row.text_or_empty(column)
        if row.text_or_empty("question"):
            row.text("answer")

    rows = usable(read_config(place, GENERAL, ("image", *columns)), odd, check)
    seen = [row for row in rows if row.image is not None and row.text_or_empty("caption")]
    asked = [row for row in rows if row.text_or_empty("question")]
    return [*image_records(seen), *_general_answers(asked)]


def _general_answers(rows: Sequence[Row]) -> list[Record]:
    found = text_records(rows, ())
    return [replace(record, image=row.image) for record, row in zip(found, rows, strict=True)]


def _by_part(column: Column, records: Sequence[Record]) -> dict[tuple[str, Column], list[Record]]:
    parts: dict[tuple[str, Column], list[Record]] = {(part, column): [] for part in PARTS}
    for record in records:
        seen = CAPTION if record.concept is Concept.FACT else NAME
        parts[seen if record.image else QA, column].append(record)
    return parts


def _drawn(
    part: str, column: Column, records: Sequence[Record], manifest: Manifest
) -> tuple[str, ...]:
    """Return at most `max_per_column` ids: one draw for all targets.

    All systems are then compared on the same records. World is the same set in every part.
    """
    count = min(manifest.split.max_per_column, len(records))
    name = f"{'' if column is Column.WORLD else part}/{column}"
    return tuple(sorted(sample(_ids(records), count, name, manifest.split.seed)))


def _ids(records: Sequence[Record]) -> tuple[str, ...]:
    return tuple(record.id for record in records)
