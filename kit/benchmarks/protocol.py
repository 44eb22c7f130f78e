"""What a benchmark measures: its targets, the columns of its tables, and the metric of each.

A protocol is data. Metric rows, report and verifier know a benchmark only by its protocol, so a new
benchmark defines its own tables in its own file.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from kit.benchmarks.records import Column


@dataclass(frozen=True)
class Holdout:
    """The column whose records no system was trained on, for metrics of membership.

    `option` is the benchmark's option, a number, that holds them out; at 0 there are none.
    """

    column: Column
    option: str


@dataclass(frozen=True)
class Part:
    """A group of columns that measure one kind of knowledge, such as PEBench's person half.

    `short` is the prefix of its short column names, `title` says what is measured. `headline` names
    the metric that each column prints. `cluster` is the field of a record by which intervals
    resample: answers about one person are right or wrong together. `company` is the field that
    records of different clusters can share, such as the event that two people attend; "" if none.
    """

    name: str
    short: str
    title: str
    headline: Mapping[Column, str]
    cluster: str = "person"
    company: str = ""


@dataclass(frozen=True)
class Heading:
    """The names of a column in this benchmark, and the question that the column answers."""

    short: str
    title: str
    meaning: str


@dataclass(frozen=True)
class TargetLayout:
    """A target: the title of what is forgotten, and the (part, column) pairs that are printed."""

    title: str
    columns: tuple[tuple[str, Column], ...]


@dataclass(frozen=True)
class TableLayout:
    """A printed table: its file name without the suffix, its title, its targets in order."""

    name: str
    title: str
    targets: tuple[str, ...]

    def has(self, layouts: Mapping[str, TargetLayout]) -> bool:
        """Say whether it shows one of some targets."""
        return any(name in layouts for name in self.targets)

    def restricted(self, layouts: Mapping[str, TargetLayout]) -> "TableLayout":
        """Return the table with some targets alone; its title names those."""
        targets = tuple(name for name in self.targets if name in layouts)
        if targets == self.targets:
            return self
        number = self.title.partition(".")[0]
        title = f"{number}. {', '.join(layouts[name].title for name in targets)}"
        return replace(self, title=title, targets=targets)


@dataclass(frozen=True)
class Protocol:
    """The tables of a benchmark.

    `likelihood`: the likelihood of candidate answers is measured. `one_retain_set`: all targets
    keep the same records, so one retain-only model serves them all. `version` rises whenever a
    result could get other columns or headline metrics; the module of the benchmark keeps earlier
    protocols in `EARLIER`. `finetune_follows_split`: `[split]` changes the records that the vanilla
    model learns, or their order. `reading` explains which direction is better, `comparability` what
    the numbers can be compared with.

    `views` holds, for each target, the pairs of parts that ask for the same facts in two ways: in
    the one that unlearning uses, and in the other. `holdout` is None where every evaluated record
    is of training, or about people who were in training or that the base model knows.

    `kept_facts` are the targets that keep other facts about the very people or events that they
    forget: methods may train on these.
    """

    parts: Mapping[str, Part]
    headings: Mapping[Column, Heading]
    targets: Mapping[str, TargetLayout]
    tables: tuple[TableLayout, ...]
    reading: str
    comparability: tuple[str, ...] = ()
    likelihood: bool = False
    one_retain_set: bool = False
    version: int = 1
    finetune_follows_split: bool = True
    views: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    holdout: Holdout | None = None
    kept_facts: frozenset[str] = frozenset()

    def restricted(
        self, targets: Collection[str], absent: Mapping[tuple[str, str], str]
    ) -> "Protocol":
        """Return the protocol of an experiment with some targets, on data without some columns.

        Args:
            targets: those that are run.
            absent: {(part, column): why} of the columns that the data does not have.
        """
        layouts = {
            name: TargetLayout(
                layout.title, tuple(each for each in layout.columns if each not in absent)
            )
            for name, layout in self.targets.items()
            if name in targets
        }
        gone = set(self.headings)
        gone -= {column for part in self.parts for column in gone if (part, column) not in absent}
        return replace(
            self,
            headings={column: each for column, each in self.headings.items() if column not in gone},
            targets=layouts,
            tables=tuple(table.restricted(layouts) for table in self.tables if table.has(layouts)),
            comparability=(*self.comparability, *dict.fromkeys(absent.values())),
        )

    def key(self, target: str, part: str, column: Column) -> str:
        """Return the short name of a column, such as `P-Eff`, unique within a table.

        That of a probe is its name, after the short name of the part that the target forgets. Where
        a target forgets several parts, it has a table of its own, and the name is enough.
        """
        short = self.parts[part].short
        if column is not Column.PROBE:
            return f"{short}-{self.headings[column].short}"
        own = [self.parts[name].short for name in self._own_parts(target)]
        return f"{own[0]}-{short}" if len(own) == 1 else short

    def title(self, target: str, part: str) -> str:
        """Return what is forgotten and, where a target has several parts, the part."""
        title = self.targets[target].title
        alone = list(self._own_parts(target)) == [part]
        return title if alone else f"{title}: {self.parts[part].title}"

    def _own_parts(self, target: str) -> Mapping[str, None]:
        """Return the parts of a target in order, probes aside."""
        columns = self.targets[target].columns
        return dict.fromkeys(name for name, column in columns if column is not Column.PROBE)
