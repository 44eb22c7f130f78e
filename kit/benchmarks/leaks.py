"""The check of every loaded benchmark that nothing forgotten is taught or measured as retained."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from kit.benchmarks.identity import alike, in_both
from kit.benchmarks.records import Benchmark, Column, Concept, Split
from kit.digests import sha256_file
from kit.errors import DataError

PERSON, EVENT = "person", "event"
MAX_SHOWN = 3
OTHERS = (Column.RETAIN, Column.REAL, Column.WORLD)  # columns about what is not forgotten


def require_apart(benchmark: Benchmark) -> Benchmark:
    """Check that nothing a split forgets is on its other side; return the benchmark with notes.

    - No person or event that is forgotten is retained or rehearsed. Names are compared by
      `identity`: another spelling is no other person. A forgotten record is about its event if it
      asks for one, otherwise about its person.
    - No picture of a forgotten record is retained, rehearsed, or shown in a column about what is
      not forgotten. Pictures are compared by their bytes.

    Names that only read alike (`kit.benchmarks.identity.alike`) stay two people, and somebody of
    the real world may have the name of a forgotten person. Notes name both.

    Raises:
        DataError: a name or a picture is on both sides; it shows both spellings, or both records.
    """
    notes: dict[str, None] = {}
    for target, split in benchmark.splits.items():
        events = [n for n in split.forget if benchmark.records[n].concept is Concept.EVENT]
        people = [n for n in split.forget if benchmark.records[n].concept is not Concept.EVENT]
        for field, forgotten in ((PERSON, people), (EVENT, events)):
            for what, kept in (("retained", split.retain), ("rehearsed", benchmark.rehearsal)):
                names = [_names(benchmark, ids, field) for ids in (forgotten, kept)]
                if shared := in_both(*names):
                    raise DataError(
                        f"the target '{target}' forgets what is {what} as well: "
                        f"{', '.join(shared[:MAX_SHOWN])}",
                        expected=f"no {field} on both sides, in any spelling",
                        found=f"{len(shared)}",
                        remedy="remove it from one side, or make two names clearly different",
                    )
                notes |= dict.fromkeys(
                    f"A forgotten and a {what} name read alike, and count as two: {pair}."
                    for pair in alike(*names)
                )
        notes |= dict.fromkeys(
            f"The column '{Column.REAL}' has the name of a forgotten person: {name}."
            for name in in_both(
                _names(benchmark, people, PERSON),
                _names(benchmark, _measured(split, (Column.REAL,)), PERSON),
            )
        )
        _require_other_pictures(benchmark, target, split)
    return replace(benchmark, notes=(*benchmark.notes, *notes))


def _require_other_pictures(benchmark: Benchmark, target: str, split: Split) -> None:
    forgotten = _pictures(benchmark, split.forget)
    kept = _pictures(benchmark, (*split.retain, *benchmark.rehearsal, *_measured(split, OTHERS)))
    if shared := _equal_files(forgotten, kept):
        pairs = [f"{forgotten[first]} and {kept[second]}" for first, second in shared[:MAX_SHOWN]]
        raise DataError(
            f"the target '{target}' forgets a picture that other records show as well",
            expected="other pictures in what is retained, rehearsed or measured beside it",
            found=f"{len(shared)} pictures with the same bytes: {'; '.join(pairs)}",
            remedy="remove the row of one of the two records",
        )


def _measured(split: Split, columns: Collection[Column]) -> list[str]:
    return [n for (_, column), ids in split.evaluation.items() if column in columns for n in ids]


def _pictures(benchmark: Benchmark, ids: Iterable[str]) -> dict[Path, str]:
    """Return {picture: id of the first record that shows it}."""
    found: dict[Path, str] = {}
    for record in map(benchmark.records.__getitem__, ids):
        if record.image is not None:
            found.setdefault(record.image, record.id)
    return found


def _equal_files(left: Collection[Path], right: Collection[Path]) -> list[tuple[Path, Path]]:
    """Return the pairs of files with equal bytes; only files of equal size are read."""
    sizes = {path: path.stat().st_size for path in {*left, *right} if path.is_file()}
    both = {sizes.get(path) for path in left} & {sizes.get(path) for path in right} - {None}
    digests = {path: sha256_file(path) for path, size in sizes.items() if size in both}
    others = {digests.get(path, str(path)): path for path in right}
    same = [(path, digests.get(path, str(path))) for path in sorted(left)]
    return [(path, others[key]) for path, key in same if key in others]


def _names(benchmark: Benchmark, ids: Iterable[str], field: str) -> list[str]:
    return sorted({str(getattr(benchmark.records[name], field)) for name in ids})
