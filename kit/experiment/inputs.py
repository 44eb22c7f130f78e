"""The sections about what an experiment reads: files, benchmark, split and base model."""

from typing import Annotated, Literal

from pydantic import Field

from kit.experiment.section import Name, Section, Unit


class SourceSection(Section):
    """One set of files, and where its bytes come from.

    Exactly one of `embedded`, `folder`, `repo` and `mirrors` alone is the origin. Mirrors beside a
    `repo` are tried after it, in order.
    """

    name: Name
    """Name of the source. The loader asks for sources by name: see kit/benchmarks/README.md."""
    checksums: str
    """Path of the list with the SHA-256 of every file, in the format of `sha256sum`; in the project
    or below the manifest's own folder."""
    embedded: str | None = None
    """Name of a dataset that the kit draws: `pebench`, `mllmu`, `clear`, `umu` or `offside`; for
    probes, `mmrel`, `mmbench`, `mmgcot` or `multitrust`."""
    folder: str | None = None
    """Folder that holds the files, in the project or below the manifest's own folder; relative to
    the project."""
    repo: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")] = None
    """Repository of the Hugging Face hub, `owner/name`."""
    repo_type: Literal["dataset", "model"] = "dataset"
    """Kind of that repository."""
    revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")] = None
    """Commit of that repository, 40 hexadecimal digits. Branch names are refused."""
    files: tuple[str, ...] = ("*",)
    """Glob patterns of the files to fetch; literal names where only `mirrors` are given."""
    mirrors: tuple[str, ...] = ()
    """Base URLs that serve the same files."""
    licence: str = ""
    """Licence as its publisher states it. It is shown once, and must be accepted."""
    gated: bool = False
    """The hub asks for an accepted form and a token (`HF_TOKEN`)."""


class Columns(Section):
    """Which column of PEBench.csv holds what. PEBench does not document its columns. Tables with
    one row per person have other places than columns, such as `events[].title`: see
    kit/benchmarks/README.md."""

    file: str = "file"
    """Path of the image, relative to the table; or how it is made, as in
    `images/{person}/{event}.png`."""
    person: str = "name"
    """Name of the person in the image."""
    event: str = "event"
    """Name of the event in the image."""
    description: str = "description"
    """Sentence that describes the event."""
    keywords: str = "keywords"
    """Words of the description that count, separated by `;`. With `""`, or without a column of
    the default name, those of keywords.csv, or those that the paper prints for its 40 events."""


class BenchmarkSection(Section):
    """Which loader reads the sources."""

    loader: Name
    """Name of a loader in kit/benchmarks/: `pebench`, `mllmu`, `clear`, `umu` or `offside`."""
    columns: Columns = Columns()
    """Columns of the table, for the loader `pebench`."""
    options: dict[str, bool | int | str] = Field({})
    """Options of the loader, such as `few_shot` or `delimiter`: see kit/benchmarks/README.md."""


class ProbeSection(Section):
    """Questions of another benchmark that every system is asked: a further column of all tables,
    for what a method damages besides."""

    name: Name
    """Name of the column in the tables."""
    probe: Name
    """Name of a file in kit/benchmarks/probes/, without `.py`."""
    source: Name
    """Name of the `[[sources]]` entry that holds its questions and images. The loader of the
    benchmark does not get it."""


class SplitSection(Section):
    """What is to be forgotten: the same people and events for every method."""

    seed: int = 0
    """Seed of the draws: who is forgotten where no split is published, and which records are
    evaluated."""
    forget_percent: Annotated[int, Field(gt=0, lt=100), Unit("percent of people (and events)")]
    """How much is forgotten. Where a benchmark publishes splits, this chooses one of them."""
    ids: str | None = None
    """Path of a committed list that freezes the kit's draw (manifests/splits/pebench.json)."""
    max_per_column: Annotated[int, Field(gt=50), Unit("records")]
    """How many records a column of the report is computed from, at most. They are drawn by
    seed."""


class ModelSection(Section):
    """The frozen base model, and where LoRA goes."""

    source: SourceSection
    """Files of the base model, as `[model.source]`."""
    quantization: Literal["nf4", "none"] = "nf4"
    """Format of the frozen weights of the language model's linear layers. `nf4`: 4-bit NormalFloat
    with double quantisation. `none`: the weights as published, in `compute_dtype`. The same are
    trained on and served."""
    compute_dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Number format of the computation, of LoRA and of what is not quantised."""
    lora_modules: str | None = None
    """Regular expression that must match the whole path of a module to give it LoRA. Default: all
    linear layers of the language model's decoder, as kit/model/families.py names them."""
    max_pixels: Annotated[int, Field(ge=784), Unit("pixels")] | None = None
    """Larger images are scaled down to this many pixels, in training and in every engine. For
    Qwen-VL, where each further 784 pixels (Qwen3-VL: 1,024) are one more token."""
