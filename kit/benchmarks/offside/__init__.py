"""OFFSIDE (arXiv 2510.22535): rumours about 80 football players, each seen in one image.

Of a player, one image is forgotten and three are kept; the test set shows the kept ones in altered
form. Forgetting is thus about an image and its rumour, and not about a person: the player is on
both sides, and his shared facts are known from the images that are kept.

Read were the README and the code of github.com/zh121800/OFFSIDE (commit 91884c7) and the page of
one file of the hub's zh1218001/OFFSIDE: the names of the sets, the fields of an entry, the fourteen
questions, the numbers of the images, and the folder complete_unlearning_data. Not read were the
data on the hub, and so the files of unimodal unlearning. Training data that an earlier commit holds
(90f5ac6) shows other wordings of the questions, and the paths of images.

`split.forget_percent` is 25: one of the four images of each player that are not for relearning.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from kit.benchmarks.left_out import REMEDY, OddRows
from kit.benchmarks.offside.entries import Entry, read_entries
from kit.benchmarks.offside.images import Images
from kit.benchmarks.offside.players import players_of
from kit.benchmarks.offside.protocol import (
    CLASSIFICATION,
    GENERATION,
    LAYOUT,
    PRIVATE,
    SELECTIVE,
    SHARED,
    asked_in,
    part_of,
)
from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Benchmark, Column, Concept, Record, Split, by_id
from kit.errors import DataError, ManifestError
from kit.experiment.manifest import Manifest
from kit.streams import sample

PROTOCOL = LAYOUT
SOURCE = "offside"
SETS = ("forget", "retain", "test")
PERCENTS, PLAYERS = (25,), 80
Facts = dict[str, list[Record]]
ONE_LETTER = (
    "Please look at this image and answer the question by selecting the correct option from the "
    "choices below.\n\nPlease respond with only the letter of the correct answer (e.g., 'The "
    "answer is A' or just 'A').\n\nOptions:\n"
)


def load(places: Mapping[str, Place], manifest: Manifest) -> Benchmark:
    """Return all records and the split of each of the manifest's targets.

    Raises:
        DataError: a file is not as published, a set is empty, or an image is on both sides.
        ManifestError: rehearsal is requested, and the benchmark has nothing to rehearse.
    """
    if manifest.finetune.rehearsal:
        raise ManifestError(
            "OFFSIDE has no general records to rehearse",
            expected="rehearsal = 0",
            found=f"rehearsal = {manifest.finetune.rehearsal:g} in [finetune]",
            remedy="set rehearsal = 0 in [finetune]",
        )
    root, odd = places[SOURCE].path, OddRows()
    images = Images(root)
    free, lettered = (
        {
            name: read_entries(root, f"{begin}{name}_set.json", images, odd, options=options)
            for name in SETS
        }
        for begin, options in (("", False), ("classification_", True))
    )
    _require_apart(free)
    _require_altered(free)
    players = players_of(free)
    records = {
        (kind, name): _records(kind, name, entries, players)
        for kind, sets in ((GENERATION, free), (CLASSIFICATION, lettered))
        for name, entries in sets.items()
    }
    columns = {
        (part_of(kind, facts), name): _drawn(part_of(kind, facts), name, found[facts], manifest)
        for (kind, name), found in records.items()
        for facts in (PRIVATE, SHARED)
    }
    forget, retain = (records[GENERATION, name] for name in ("forget", "retain"))
    count = len({record.group for record in _all(forget)})
    return Benchmark(
        manifest.benchmark.loader,
        by_id(record for found in records.values() for record in _all(found)),
        _ids([*_all(forget), *_all(retain)]),
        {
            target: Split(
                target,
                _ids(forget[PRIVATE] if target == SELECTIVE else _all(forget)),
                _ids(_all(retain)),
                _evaluation(target, columns),
            )
            for target in manifest.targets
        },
        notes=() if count == PLAYERS else (f"{count} players; {PLAYERS} are published.",),
        left_out=odd.left_out(),
    )


def _require_apart(sets: Mapping[str, Sequence[Entry]]) -> None:
    gone = {entry.file for entry in sets["forget"]}
    for name in ("retain", "test"):
        if shared := sorted({e.image for e in sets[name] if e.file in gone}):
            raise DataError(
                f"OFFSIDE: images in both the forget and the {name} set",
                expected="no such image: what is forgotten would be taught as retained",
                found=f"{len(shared)}: {', '.join(shared[:3])}",
                remedy=REMEDY,
            )


def _require_altered(sets: Mapping[str, Sequence[Entry]]) -> None:
    """Check that no kept image is taken for its altered form, which the source lacks."""
    kept = {entry.file: entry for entry in sets["retain"]}
    for entry in sets["test"]:
        seen = kept.get(entry.file)
        if seen and seen.given != entry.given:
            raise DataError(
                f"OFFSIDE: {entry.image} would be shown for two images",
                expected=f"a file {entry.given} for the test set, beside {seen.given}",
                found="one file of this name",
                remedy="add the images of the test set to the source, in folders of the names that "
                "the entries have; then list them",
            )


def _records(kind: str, name: str, entries: Sequence[Entry], players: Mapping[str, str]) -> Facts:
    """Return the records of a set, by the facts that they ask for. Their `group` is the player."""
    made: Facts = {PRIVATE: [], SHARED: []}
    numbers: Counter[str] = Counter()
    for entry in entries:
        label = f"offside/{name}/{kind}/{entry.image}/{entry.fact}"
        made[entry.facts].append(
            Record(
                f"{label}/{numbers[label]}",
                Concept.CHOICE if entry.options else Concept.FACT,
                _prompt(entry),
                entry.answer,
                entry.file,
                candidates=tuple(letter for letter, _ in entry.options),
                group=players.get(entry.image, entry.image),
            )
        )
        numbers[label] += 1
    return made


def _prompt(entry: Entry) -> str:
    """Return the prompt of the released evaluation, without the turns of the conversation."""
    if not entry.options:
        return entry.question
    offered = "".join(f"{letter}: {option}\n" for letter, option in entry.options)
    return f"{entry.question}\n\n{ONE_LETTER}{offered}"


def _drawn(part: str, name: str, records: Sequence[Record], manifest: Manifest) -> tuple[str, ...]:
    """Return the ids of a column: one draw for all targets."""
    if not records:
        raise DataError(
            f"OFFSIDE: the {name} set has no {part} question",
            expected="questions for every column",
            found="none of this kind that can be used",
            remedy=REMEDY,
        )
    count = min(manifest.split.max_per_column, len(records))
    return tuple(sorted(sample(_ids(records), count, f"{part}/{name}", manifest.split.seed)))


def _evaluation(
    target: str, columns: Mapping[tuple[str, str], tuple[str, ...]]
) -> dict[tuple[str, Column], tuple[str, ...]]:
    others = {"retain": Column.RETAIN, "test": Column.REAL}
    return {
        (part, others.get(name) or asked_in(target, part)): ids
        for (part, name), ids in columns.items()
    }


def _all(found: Facts) -> list[Record]:
    return [record for records in found.values() for record in records]


def _ids(records: Sequence[Record]) -> tuple[str, ...]:
    return tuple(sorted(record.id for record in records))
