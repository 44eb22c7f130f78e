"""The check of every loaded benchmark that nothing forgotten is taught under another spelling."""

from collections.abc import Iterable

from kit.benchmarks.identity import in_both
from kit.benchmarks.records import Benchmark, Concept
from kit.errors import DataError

PERSON, EVENT = "person", "event"
MAX_SHOWN = 3


def require_apart(benchmark: Benchmark) -> None:
    """Check that no person or event that a split forgets is retained or rehearsed.

    Names are compared by `identity`: another spelling is no other person. A forgotten record is
    about its event if it asks for one, otherwise about its person.

    Raises:
        DataError: a name is on both sides; it shows both spellings.
    """
    for target, split in benchmark.splits.items():
        events = [n for n in split.forget if benchmark.records[n].concept is Concept.EVENT]
        people = [n for n in split.forget if benchmark.records[n].concept is not Concept.EVENT]
        for field, forgotten in ((PERSON, people), (EVENT, events)):
            for what, kept in (("retained", split.retain), ("rehearsed", benchmark.rehearsal)):
                names = (_names(benchmark, ids, field) for ids in (forgotten, kept))
                if shared := in_both(*names):
                    raise DataError(
                        f"the target '{target}' forgets what is {what} as well: "
                        f"{', '.join(shared[:MAX_SHOWN])}",
                        expected=f"no {field} on both sides, in any spelling",
                        found=f"{len(shared)}",
                        remedy="remove it from one side, or make two names clearly different",
                    )


def _names(benchmark: Benchmark, ids: Iterable[str], field: str) -> list[str]:
    return sorted({str(getattr(benchmark.records[name], field)) for name in ids})
