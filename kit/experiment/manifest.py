"""The manifest: one TOML file that decides everything, as validated and frozen values.

An unknown key is an error that names the nearest valid key; manifests/README.md lists them all. The
digest of the resolved manifest names the result folder, together with the checksum lists of data
from outside, so that two different experiments never share one.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, model_validator

from kit.artifacts import PROJECT, project_path
from kit.digests import sha256_file, sha256_value
from kit.experiment.attack import AttackEntry, AttackSection
from kit.experiment.claim_lists import expanded_claims
from kit.experiment.claims import MOST, ClaimSection
from kit.experiment.disclosure import public_path, public_source
from kit.experiment.inputs import (
    BenchmarkSection,
    Columns,
    ModelSection,
    ProbeSection,
    SourceSection,
    SplitSection,
)
from kit.experiment.judge import JudgeSection
from kit.experiment.origins import Origins
from kit.experiment.section import Name, Section
from kit.experiment.settings import (
    CalibrationSection,
    ComputeSection,
    EvaluationSection,
    FinetuneSection,
    MethodSection,
    ReportSection,
    TrainingSection,
    TuneSection,
    UnlearnSection,
)

__all__ = [
    "AttackEntry",
    "AttackSection",
    "BenchmarkSection",
    "CalibrationSection",
    "Columns",
    "ComputeSection",
    "EvaluationSection",
    "FinetuneSection",
    "Manifest",
    "MethodSection",
    "ModelSection",
    "ProbeSection",
    "ReportSection",
    "SourceSection",
    "SplitSection",
    "TrainingSection",
    "TuneSection",
    "UnlearnSection",
]


class Manifest(Section):
    """A whole experiment."""

    name: Name
    """Name of the experiment; the result folder begins with it."""
    title: str
    """Title of the report."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)]
    """Seeds of unlearning, one adapter each. The first is also the seed of fine-tuning, unless
    `finetune.seed` is given."""
    targets: Annotated[tuple[str, ...], Field(min_length=1)]
    """What may be forgotten; which targets exist depends on the loader."""
    benchmark: BenchmarkSection
    """Which loader reads the data."""
    sources: Annotated[tuple[SourceSection, ...], Field(min_length=1)]
    """The data, one `[[sources]]` entry for each set of files."""
    split: SplitSection
    """What is to be forgotten."""
    model: ModelSection
    """The base model."""
    finetune: FinetuneSection
    """Training of the vanilla and retain-only models."""
    unlearn: UnlearnSection
    """Training of all methods."""
    methods: tuple[MethodSection, ...]
    """The rows of the tables, one `[[methods]]` entry each."""
    evaluation: EvaluationSection
    """How the systems are asked."""
    report: ReportSection = ReportSection()
    """Intervals and adapters of the result."""
    compute: ComputeSection
    """Processes and threads."""
    claims: Annotated[tuple[ClaimSection, ...], Field(max_length=MOST)] = ()
    """What the experiment claims, one `[[claims]]` entry each."""
    calibration: CalibrationSection | None = None
    """Which seeds decide how far another run of the same experiment may be off."""
    attack: AttackSection | None = Field(None, exclude_if=lambda value: value is None)
    """Attacks on the evaluated systems; without this section there are none."""
    tune: TuneSection | None = Field(None, exclude_if=lambda value: value is None)
    """How methods are tuned, and on which records."""
    judge: JudgeSection | None = Field(None, exclude_if=lambda value: value is None)
    """Another model that judges the answers; never required."""
    probes: Annotated[
        tuple[ProbeSection, ...], Field(max_length=20, exclude_if=lambda value: not value)
    ] = ()
    """Questions of other benchmarks that every system is asked as well, one `[[probes]]` entry
    each."""
    _origins: Origins = PrivateAttr(Origins())

    @property
    def claims_of(self) -> str:
        """The manifest that the claims are inherited from; "" if this manifest states them."""
        return Path(self._origins.base).name if self._origins.inherits("claims") else ""

    def adds_claim(self, name: str) -> bool:
        """Return whether a claim is one that this manifest adds to inherited ones."""
        added = self._origins.added.get("claims", ())
        ids = {each.get("id") for each in added if isinstance(each, dict)}
        return not ids.isdisjoint((name, name.rpartition(".")[0]))  # C4.po was written as C4

    def origin_of(self, *places: str) -> str:
        """Return what an error about keys, as `section.key` each, names: the file they come from.

        Of a manifest that is from no file, it is the name.
        """
        named = self._origins.of_all(*(place.split(".") for place in places))
        return named or f"manifest {self.name}"

    def from_files(self, origins: Origins) -> "Manifest":
        """Return a copy that knows which file each key comes from."""
        copy = self.model_copy()
        copy._origins = origins
        return copy

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, document: Any) -> Any:
        """Make one claim of each system that a claim lists."""
        if not isinstance(document, dict) or "claims" not in document:
            return document
        return {**document, "claims": expanded_claims(document)}

    def resolved(self) -> dict[str, Any]:
        """Return every value, defaults included, as JSON that may be published.

        Folders of this machine and secrets in addresses decide nothing: their bytes are named by
        the checksum lists.
        """
        said = self.model_dump(mode="json")
        said["sources"] = [public_source(source) for source in said["sources"]]
        said["model"]["source"] = public_source(said["model"]["source"])
        if self.judge is not None:
            said["judge"]["source"] = public_source(said["judge"]["source"])
        ids = said["split"]["ids"]
        said["split"]["ids"] = ids and public_path(ids)
        if self.evaluation.metric_file:
            said["evaluation"]["metric_file"] = public_path(self.evaluation.metric_file)
        return said

    def all_sources(self) -> tuple[SourceSection, ...]:
        """Return everything that is fetched: the data, the base model, then the judge."""
        return (*self.sources, *self.models())

    def models(self) -> tuple[SourceSection, ...]:
        """Return the files of the base model, and of the judge where there is one."""
        return (self.model.source, *([self.judge.source] if self.judge else []))

    def digest(self) -> str:
        """Return the digest of the resolved manifest."""
        return sha256_value(self.resolved())

    @property
    def run_name(self) -> str:
        """The name of the result folder: `<manifest>-<first 8 digits of a digest>`.

        The digest is of the manifest and, where data or base come from outside of the kit, of their
        checksum lists, of the list of who is forgotten, and of a file with a metric: equal
        manifests with other data have other results. A file that does not exist yet has no part in
        it.
        """
        outside = {s.name: s.checksums for s in self.all_sources() if not is_of_the_kit(s)}
        if self.split.ids:
            outside["split.ids"] = self.split.ids  # no name of a source has a dot
        if self.evaluation.metric_file:
            outside["evaluation.metric_file"] = self.evaluation.metric_file
        paths = {name: project_path(path) for name, path in outside.items()}
        lists = {name: sha256_file(path) for name, path in paths.items() if path.is_file()}
        digest = self.digest()
        if lists:
            digest = sha256_value({"manifest": digest, "lists": lists})
        return f"{self.name}-{digest[:8]}"


def is_of_the_kit(source: SourceSection) -> bool:
    """Return whether the kit draws a source, or holds its files: a version fixes their bytes."""
    held = source.folder is not None and project_path(source.folder).is_relative_to(PROJECT / "kit")
    return source.embedded is not None or held
