"""What a probe is: where its questions come from, and what judges the answers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kit.benchmarks.parquet import Place
from kit.benchmarks.records import Record


@dataclass(frozen=True)
class Probe:
    """One probe.

    `title` says what it measures; tables print it. `metric` names the metric that its column
    prints. `load` turns the files of its source into records, whose ids are unique within the
    source; it refuses what is not as published. `comparability` is a sentence on what the numbers
    can be compared with. `likelihood`: the likelihood of the candidates of its records is measured.

    `left_out` gives sentences on the rows that are not asked, if there are any.

    A stored result names a probe by its file, so `metric` never changes: a probe that is judged in
    another way is another file.
    """

    title: str
    metric: str
    load: Callable[[Place], Iterable[Record]]
    comparability: str
    likelihood: bool = False
    left_out: Callable[[Place], Sequence[str]] = lambda place: ()
