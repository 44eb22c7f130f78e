"""The sections about the inputs of an experiment: files, benchmark, split and base model."""

from typing import Annotated, Literal

from pydantic import Field

from kit.experiment.section import Name, Section, Unit


class SourceSection(Section):
    """One set of files, and where its bytes come from.

    The origin is exactly one of `embedded`, `folder`, `repo`, or `mirrors` without any of these.
    With a `repo`, mirrors are tried after it, in order.
    """

    name: Name
    """Name of the source. The loader asks for sources by name: see kit/benchmarks/README.md."""
    checksums: str
    """Path of the checksum list: the SHA-256 of every file, in the format of `sha256sum`. It must
    be in the project or in the manifest's folder."""
    embedded: str | None = None
    """Name of a dataset that the kit generates: `pebench`, `mllmu`, `clear`, `umu` or `offside`;
    for probes, `mmrel`, `mmbench`, `mmgcot` or `multitrust`."""
    folder: str | None = None
    """Folder with the files, in the project or in the manifest's folder; path relative to the
    project."""
    repo: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")] = None
    """Repository on the Hugging Face Hub, `owner/name`."""
    repo_type: Literal["dataset", "model"] = "dataset"
    """Kind of that repository."""
    revision: Annotated[str | None, Field(pattern=r"^[0-9a-f]{40}$")] = None
    """Commit of that repository, 40 hexadecimal digits. Branch names are refused."""
    files: tuple[str, ...] = ("*",)
    """Glob patterns of the files to fetch; with `mirrors` alone, literal names."""
    mirrors: tuple[str, ...] = ()
    """Base URLs that serve the same files."""
    licence: str = ""
    """Licence, as the publisher states it. It is shown once and must be accepted."""
    gated: bool = False
    """Whether the hub requires an accepted form and a token (`HF_TOKEN`)."""


class Columns(Section):
    """The columns of PEBench.csv, which PEBench does not document. In tables with one row per
    person, a field can be elsewhere, such as in `events[].title`: see kit/benchmarks/README.md."""

    file: str = "file"
    """Path of the image, relative to the table; or a pattern such as
    `images/{person}/{event}.png`."""
    person: str = "name"
    """Name of the person in the image."""
    event: str = "event"
    """Name of the event in the image."""
    description: str = "description"
    """Sentence that describes the event."""
    keywords: str = "keywords"
    """The scored words of the description, separated by `;`. With `""`, or without a column of the
    default name, they come from keywords.csv, or from the paper for its 40 events."""


class BenchmarkSection(Section):
    """The loader that reads the sources."""

    loader: Name
    """Name of a loader in kit/benchmarks/: `pebench`, `mllmu`, `clear`, `umu` or `offside`."""
    columns: Columns = Columns()
    """Columns of the table, for the loader `pebench`."""
    options: dict[str, bool | int | str] = Field({})
    """Options of the loader, such as `few_shot` or `delimiter`: see kit/benchmarks/README.md."""


class ProbeSection(Section):
    """Questions from another benchmark for every system: one more column of all tables, which shows
    side effects."""

    name: Name
    """Name of the column in the tables."""
    probe: Name
    """Name of a file in kit/benchmarks/probes/, without `.py`."""
    source: Name
    """Name of the `[[sources]]` entry with its questions and images. The loader of the benchmark
    does not read this source."""


class SplitSection(Section):
    """The forget set: the same people and events for every method."""

    seed: int = 0
    """Seed of the draw of the forget set, if no split is published, and of the evaluated
    records."""
    forget_percent: Annotated[int, Field(gt=0, lt=100), Unit("percent of people (and events)")]
    """Size of the forget set. If the benchmark publishes splits, this chooses one of them."""
    ids: str | None = None
    """Path of a committed list that freezes the kit's draw (manifests/splits/pebench.json)."""
    max_per_column: Annotated[int, Field(gt=50), Unit("records")]
    """Largest number of records for a column of the report. They are drawn by seed."""


class ModelSection(Section):
    """The frozen base model, and which modules get LoRA."""

    source: SourceSection
    """Files of the base model, as `[model.source]`."""
    quantization: Literal["nf4", "none"] = "nf4"
    """Format of the frozen weights of the language model's linear layers. `nf4`: 4-bit NormalFloat
    with double quantisation. `none`: the weights as published, in `compute_dtype`. Training and
    serving use the same weights."""
    compute_dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Data type of the computation, of LoRA and of weights that are not quantised."""
    lora_modules: str | None = None
    """Regular expression for the modules that get LoRA; it must match the whole path. Default: all
    linear layers of the language model's decoder, as in kit/model/families.py."""
    max_pixels: Annotated[int, Field(ge=784), Unit("pixels")] | None = None
    """Larger images are scaled down to this number of pixels, in training and in every engine. For
    Qwen-VL, where every 784 pixels (Qwen3-VL: 1,024) are one token."""
