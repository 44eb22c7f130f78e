"""The manifest: one TOML file that decides everything, as validated and frozen values.

An unknown key is an error that names the nearest valid key. The digest of the resolved manifest
names the result folder, so that two different experiments never share one.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kit.digests import sha256_value
from kit.experiment.claims import MOST, ClaimSection
from kit.experiment.disclosure import public_path, public_source

Name = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
Positive = Field(gt=0)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


class SourceSection(_Section):
    """One set of files that an experiment reads, and where its bytes come from.

    Exactly one of `embedded` (drawn by kit/smoke), `folder` (already on this machine), `repo` (a
    repository of the hub) and `mirrors` alone is the origin; mirrors beside a repository are tried
    after it, in order. `revision` is a commit of 40 hexadecimal digits. `files` are glob patterns
    of what is brought; without a repository to list they are literal names.
    """

    name: str = Name
    checksums: str = Field(description="list of every file's SHA-256, usable with sha256sum -c")
    embedded: str | None = None
    folder: str | None = None
    repo: str | None = Field(None, pattern=r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")
    repo_type: Literal["dataset", "model"] = "dataset"
    revision: str | None = Field(None, pattern=r"^[0-9a-f]{40}$")
    files: tuple[str, ...] = ("*",)
    mirrors: tuple[str, ...] = ()
    licence: str = Field("", description="as its publisher states it")
    gated: bool = Field(False, description="the hub asks for an accepted form and a token")


class Columns(_Section):
    """Which CSV column of the published table holds what (PEBench does not document them).

    Without a column of the default name for keywords, or with `keywords = ""`, those that the paper
    prints for its 40 events are used.
    """

    file: str = "file"
    person: str = "name"
    event: str = "event"
    description: str = "description"
    keywords: str = "keywords"


class BenchmarkSection(_Section):
    """Which loader of kit/benchmarks/ reads the sources, and what it must be told."""

    loader: str = Name
    columns: Columns = Columns()
    options: dict[str, bool | int | str] = Field(
        {}, description="of the loader's protocol: few-shot examples, how letters are read"
    )


class SplitSection(_Section):
    """What is to be forgotten: a share of the people (and events), the same for every method.

    Where a benchmark publishes its splits, `forget_percent` chooses one. Where it does not
    (PEBench), the kit draws them by seed; `ids` names the committed list that freezes the draw.
    """

    seed: int = 0
    forget_percent: int = Field(gt=0, lt=100)
    ids: str | None = None
    max_per_column: int = Field(gt=50, description="records a reported column is computed from")


class ModelSection(_Section):
    """The frozen base, and where LoRA goes: a regular expression anchored on the module path."""

    source: SourceSection
    quantization: Literal["nf4"] = "nf4"
    compute_dtype: Literal["float32", "bfloat16"] = "bfloat16"
    lora_modules: str


class TrainingSection(_Section):
    """One optimisation: AdamW on the adapter, linear warm-up, cosine decay, gradient clipping.

    `micro_batch_size` are the records that are computed at once, at most; without it as many as the
    GPU has room for. "auto" computes activations again only where one record does not fit.
    """

    steps: int = Positive
    batch_size: int = Positive
    micro_batch_size: int | None = Field(None, gt=0)
    gradient_checkpointing: Literal["auto", "always", "never"] = "auto"
    learning_rate: float = Positive
    warmup_steps: int = Field(ge=0)
    rank: int = Positive
    alpha: float = Positive
    gradient_clip: float = Positive
    weight_decay: float = Field(0.0, ge=0)
    checkpoint_every: int = Field(0, ge=0, description="steps; 0 = no checkpoint within a job")


class FinetuneSection(TrainingSection):
    """Fine-tuning of the vanilla and retain-only models.

    `rehearsal` is the share of general records in every batch: without it a small base forgets
    what it knew before (the Real and World columns of the vanilla model would be meaningless).
    `seed` is the first of the manifest's seeds unless it is given: with it, unlearning can be
    tried with other seeds from the same vanilla model.
    """

    rehearsal: float = Field(0.0, ge=0, lt=1)
    seed: int | None = None


class UnlearnSection(TrainingSection):
    """Defaults of every method; `stop` ends a run at a forget loss that a uniform guess has."""

    stop: Literal["uniform", "never"] = "uniform"


class MethodSection(_Section):
    """One row of the table: a method, its targets, and what differs from the defaults."""

    name: str = Name
    label: str
    method: str = Name
    targets: tuple[str, ...] = Field(min_length=1)
    options: dict[str, float | int | str | bool] = {}
    steps: int | None = Field(None, gt=0)
    learning_rate: float | None = Field(None, gt=0)
    stop: Literal["uniform", "never"] | None = None


class EvaluationSection(_Section):
    """Greedy generation; `max_new_tokens` bounds every answer of every system alike.

    `agreement_*` say how far a second engine must give the same answers. They decide no answer, so
    changing them asks nothing again.
    """

    engine: Literal["vllm", "transformers"]
    serving: Literal["adapters", "merged"] = Field(
        "adapters", description="all LoRA adapters in one batch, or merged weights in turn"
    )
    max_new_tokens: int = Positive
    max_adapters: int = Field(8, gt=0, description="LoRA adapters resident in the engine at once")
    max_sequences: int = Field(128, gt=0)
    max_model_len: int = Field(512, gt=0, description="tokens, image included")
    batch_invariant: bool = Field(
        False, description="vLLM's beta of answers that do not depend on their company; slower"
    )
    agreement_sample: int = Field(gt=0, description="answers compared between two engines")
    agreement_minimum: float = Field(0.99, ge=0, le=1, description="share of them that is equal")
    agreement_of_each: float = Field(
        0.75, ge=0, le=1, description="the same of one system's few, of which one may always differ"
    )
    agreement_words: int = Field(
        0, ge=0, description="first words that are compared; 0: whole answers"
    )

    def deciding(self) -> dict[str, Any]:
        """Return what decides answers: everything but how they are checked."""
        values = self.model_dump(mode="json").items()
        return {name: value for name, value in values if not name.startswith("agreement_")}


class ReportSection(_Section):
    """Intervals: bootstrap over people; and which adapters a result holds, all or the claimed.

    "claimed" are vanilla, retain-only and, of the first seed, those that a claim names.
    """

    bootstrap_draws: int = Field(1000, ge=100)
    seed: int = 0
    adapters: Literal["all", "claimed"] = "all"


class ComputeSection(_Section):
    """Threads decide the last bits on a CPU, so they belong to the experiment; workers do not."""

    threads: int = Positive
    workers: int = Positive


class Manifest(_Section):
    """A whole experiment."""

    name: str = Name
    title: str
    seeds: tuple[int, ...] = Field(min_length=1)
    targets: tuple[str, ...] = Field(min_length=1)
    benchmark: BenchmarkSection
    sources: tuple[SourceSection, ...] = Field(min_length=1)
    split: SplitSection
    model: ModelSection
    finetune: FinetuneSection
    unlearn: UnlearnSection
    methods: tuple[MethodSection, ...]
    evaluation: EvaluationSection
    report: ReportSection = ReportSection()
    compute: ComputeSection
    claims: tuple[ClaimSection, ...] = Field((), max_length=MOST)

    def resolved(self) -> dict[str, Any]:
        """Return every value, defaults included, as JSON that may be published.

        Folders of this machine and secrets in addresses decide nothing: their bytes are named by
        the checksum lists.
        """
        said = self.model_dump(mode="json")
        said["sources"] = [public_source(source) for source in said["sources"]]
        said["model"]["source"] = public_source(said["model"]["source"])
        ids = said["split"]["ids"]
        said["split"]["ids"] = ids and public_path(ids)
        return said

    def all_sources(self) -> tuple[SourceSection, ...]:
        """Return everything that is fetched: the data, then the base model."""
        return (*self.sources, self.model.source)

    def digest(self) -> str:
        """Return the digest of the resolved manifest."""
        return sha256_value(self.resolved())

    @property
    def run_name(self) -> str:
        """The name of the result folder: `<manifest>-<first 8 digits of its digest>`."""
        return f"{self.name}-{self.digest()[:8]}"
