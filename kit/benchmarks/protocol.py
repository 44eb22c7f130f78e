"""What a benchmark measures: its targets, the columns of its tables, and what stands in each.

A protocol is data. Rows, report and verifier read it and know nothing of a benchmark otherwise, so
a new benchmark brings its own tables in its own file.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kit.benchmarks.records import Column


@dataclass(frozen=True)
class Part:
    """A group of columns that measure one kind of knowledge, such as PEBench's person half.

    `short` begins the short names of its columns, `title` says what is measured. `cluster` is the
    field of a record that intervals resample: answers about one person rise and fall together.
    `headline` names the metric that stands in each column.
    """

    name: str
    short: str
    title: str
    headline: Mapping[Column, str]
    cluster: str = "person"


@dataclass(frozen=True)
class Heading:
    """How a benchmark calls a column, and what the column asks."""

    short: str
    title: str
    meaning: str


@dataclass(frozen=True)
class TargetLayout:
    """Something that can be forgotten: its title, and the (part, column) pairs that are printed."""

    title: str
    columns: tuple[tuple[str, Column], ...]


@dataclass(frozen=True)
class TableLayout:
    """A printed table: its file name without the ending, its title, its targets in order."""

    name: str
    title: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Protocol:
    """The tables of a benchmark.

    `likelihood` says that records have candidates whose likelihood is measured, `one_retain_set`
    that every target keeps the same records, so that one retain-only model serves them all.
    `finetune_follows_split` says that `[split]` changes which records the vanilla model learns, or
    their order.
    `reading` tells a reader which direction is good, `comparability` what the numbers can be held
    against.
    """

    parts: Mapping[str, Part]
    headings: Mapping[Column, Heading]
    targets: Mapping[str, TargetLayout]
    tables: tuple[TableLayout, ...]
    reading: str
    comparability: tuple[str, ...] = ()
    likelihood: bool = False
    one_retain_set: bool = False
    finetune_follows_split: bool = True

    def title(self, target: str, part: str) -> str:
        """Return what is forgotten and, where a target has several parts, which is measured."""
        several = len({name for name, _ in self.targets[target].columns}) > 1
        said = self.targets[target].title
        return f"{said}: {self.parts[part].title}" if several else said
