"""A metric of answers from one file outside of the kit, named in `evaluation.metric_file`.

The file defines `METRIC`, a `Definition`. run.json holds its digest and all that rows and reports
need of it, but not its code: whoever has no file with that digest cannot compute its rows.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from pathlib import Path, PurePosixPath
from types import CodeType, ModuleType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kit.artifacts import PROJECT
from kit.benchmarks.records import Concept, Record
from kit.digests import sha256_file
from kit.errors import DataError, ManifestError
from kit.experiment.own_code import admit, is_admitted
from kit.experiment.section import NAME
from kit.failures import kit_error
from kit.metrics.definition import Definition, Measure, StoredAnswer
from kit.result.layout import RUN
from kit.result.unusable import unusable

FACTS = "outside_metric"  # of run.json
SHAPE = "METRIC = Definition(...) of kit.metrics.definition"
Text = Annotated[str, Field(max_length=2000)]


class OutsideMetric(BaseModel):
    """What run.json says of a metric from outside; `file` is its path in the project."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    file: Text
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    name: Annotated[str, Field(pattern=NAME, max_length=100)]
    version: Annotated[int, Field(ge=1)]
    sentence: Text
    concepts: Annotated[list[str], Field(min_length=1)]
    absent: Text
    better: Literal["", "higher", "lower"]
    turns: bool
    percent: bool


class _Uncached(SourceFileLoader):
    """Compiles the file itself: `__pycache__` beside it may hold code of another digest."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def load_metric(path: Path, taken: Collection[str]) -> Definition:
    """Run the file and return its metric, whose values are checked to be in [0, 1] or None.

    Args:
        path: of the file. A manifest that the caller trusts names it.
        taken: names that the kit's own metrics have.

    Raises:
        ManifestError: the file is missing or fails, or defines no usable metric.
    """
    if not path.is_file():
        raise ManifestError(
            f"evaluation.metric_file: {path} does not exist",
            expected="a Python file in the project or beside the manifest",
            found="a folder" if path.is_dir() else "no such file",
            remedy="correct the path: a relative one starts at the project's folder",
        )
    loader = _Uncached("pebench_outside_metric", str(path))
    module = ModuleType(loader.name)
    module.__file__ = loader.path
    try:
        loader.exec_module(module)
    except Exception as error:
        raise ManifestError(
            f"evaluation.metric_file: {path} cannot be run",
            expected=SHAPE,
            found=kit_error(error, "metric file").what,
            remedy="run it with Python, and correct it",
        ) from error
    metric = getattr(module, "METRIC", None)
    if fault := _fault(metric, taken):
        raise ManifestError(
            f"evaluation.metric_file: {path} defines no usable metric",
            expected=SHAPE,
            found=fault,
            remedy="see kit/metrics/README.md for an example",
        )
    assert isinstance(metric, Definition)
    admit(path)
    return replace(metric, measure=_checked(metric))


def describe(metric: Definition, file: str, digest: str) -> dict[str, object]:
    """Return what run.json says of a metric: its file by public path and digest, and its facts."""
    said = {
        "file": file, "sha256": digest, "name": metric.name, "version": metric.version,
        "sentence": metric.sentence, "concepts": sorted(map(str, metric.concepts)),
        "absent": metric.absent, "better": metric.better, "turns": metric.turns,
        "percent": metric.percent,
    }  # fmt: skip
    return OutsideMetric.model_validate(said).model_dump()


def stored_metric(run: Mapping[str, object], taken: Collection[str]) -> Definition | None:
    """Return the metric from outside that a run.json names, None if it names none.

    Its file is run only if the project has it, and a manifest of this call names it: a result may
    come with a file of code and name that. Otherwise the metric is one that is not computed
    (`Definition.retired`), and says so.

    Raises:
        VerificationError: run.json does not say what it should.
    """
    if FACTS not in run:
        return None
    try:
        facts = OutsideMetric.model_validate(run[FACTS])
        concepts = frozenset(map(Concept, facts.concepts))
    except (ValidationError, ValueError) as error:
        raise unusable(RUN, f"{FACTS}: {error}") from None
    if facts.name in taken:
        raise unusable(RUN, f"{FACTS} has the name of one of the kit's metrics: {facts.name}")
    path = _in_project(facts.file)
    why = f"its file {facts.file} with the SHA-256 {facts.sha256} is not in this project"
    if path is not None and path.is_file() and sha256_file(path) == facts.sha256:
        if is_admitted(facts.sha256):
            return load_metric(path, taken)
        why = (
            f"its file {facts.file} is code, and runs only if you name a manifest that has it as "
            "evaluation.metric_file: in place of the folder, or as --claims"
        )
    return Definition(
        facts.name, facts.version, facts.sentence, lambda _answer, _record: None, concepts,
        facts.absent, facts.better, facts.turns, facts.percent, retired=why,
    )  # fmt: skip


def _in_project(name: str) -> Path | None:
    """Return the path of a file that may be run: of this project, but not of its own code."""
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts and path.suffix == ".py"
    own = path.parts[:1] in (("kit",), ("tests",), ("docker",))
    return PROJECT / name if inside and not own else None


def _fault(metric: object, taken: Collection[str]) -> str:
    if not isinstance(metric, Definition):
        return f"METRIC is {type(metric).__name__}" if metric is not None else "no METRIC"
    if metric.name in taken:
        return f"the kit has a metric of the name {metric.name}"
    if metric.weight or metric.among or metric.retired:
        return "weight, among and retired are for the kit's own metrics"
    try:
        describe(metric, "", "0" * 64)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return ""


def _checked(metric: Definition) -> Measure:
    def measure(answer: StoredAnswer, record: Record) -> float | None:
        value = metric.measure(answer, record)
        if value is None or (isinstance(value, int | float) and 0 <= value <= 1):
            return value
        raise DataError(
            f"the metric {metric.id} gives {value!r} for record {record.id}",
            expected="a number from 0 to 1, or None where it does not exist",
            found=f"{type(value).__name__} {value!r:.80}",
            remedy="correct the file that evaluation.metric_file names",
        )

    return measure
