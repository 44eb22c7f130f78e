"""Base and records are checked once for each digest of what decides the answer."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from kit.artifacts import cache_root, write_json
from kit.benchmarks import load as load_benchmark
from kit.errors import ManifestError, ModelError
from kit.experiment.manifest import Manifest
from kit.gpus import gpus
from kit.model.decoding import end_tokens
from kit.model.families import CONFIG, check_engine, family_in
from kit.model.file_kinds import require_own_kind
from kit.plan.digests import base_digest, records_digest
from kit.plan.jobs import Plan
from kit.plan.sizes import BaseSizes
from kit.preflight.loading import load_empty, require_features, require_tiles
from kit.preflight.processors import open_processor, require_processor
from kit.preflight.reading import reading
from kit.preflight.records import RecordTokens, measure_records
from kit.preflight.structure import attention_heads, fixed_side, read_structure
from kit.preflight.weights import read_weights, require_finite
from kit.sources.datasets import base_folder, places
from kit.state_files import damaged, read_object

T = TypeVar("T")
MODULE = "kit.preflight.ready"
TEXTS = {".json", ".jinja", ".model", ".txt"}  # files of a base beside its weights


@dataclass(frozen=True)
class BaseFacts:
    """What the files of a base say about it."""

    weights: str
    structure: str
    processor: str
    sizes: BaseSizes

    def lines(self) -> dict[str, str]:
        """Return the lines of a report, by the name of the check."""
        return {
            "weight files": self.weights,
            "model": self.structure,
            "processor": self.processor,
        }


_FACTS, _POSITIONS = TypeAdapter(BaseFacts), TypeAdapter[int | None](int | None)
_TOKENS = TypeAdapter(RecordTokens)


def require_ready(plan: Plan) -> list[str]:
    """Check base and records of a plan; return what was found, one line each.

    Runs in a process of its own: it imports the model libraries.

    Raises:
        ModelError: the base cannot be used.
        DataError, ManifestError: a picture cannot be read, or a record is longer than the context.
    """
    base = require_base(plan.manifest)
    return [
        *(f"{name}: {found}" for name, found in base.lines().items()),
        f"weights: {require_values(plan.manifest)}",
        f"records: {require_records(plan).describe()}",
    ]


def require_base(manifest: Manifest) -> BaseFacts:
    """Check weight files, modules and processor of a base; the files have been verified before.

    Raises:
        ModelError: the base cannot be used, or evaluation.engine does not serve it.
        ManifestError: evaluation.max_model_len is more than the base was made for.
    """
    asked = manifest.evaluation
    folder = base_folder(manifest)
    family = family_in(folder)
    for path in sorted(folder.glob("*")):
        if path.suffix in TEXTS:
            require_own_kind(path)
    check_engine(family, asked.engine, asked.serving, gpu=bool(gpus()))
    with reading(folder, CONFIG):
        _require_divisible(manifest, attention_heads(folder))
    found = _once(base_path(manifest), lambda: _examine(manifest))
    facts = _typed(_FACTS, base_path(manifest), found["facts"])
    positions = _typed(_POSITIONS, base_path(manifest), found["positions"])
    wanted = manifest.evaluation.max_model_len
    if positions and positions < wanted:
        where = "evaluation.max_model_len"
        raise ManifestError(
            f"{manifest.origin_of(where)}: {where} is more than the base was made for",
            expected=f"at most {positions} tokens (max_position_embeddings in config.json)",
            found=wanted,
            remedy=f"set evaluation.max_model_len = {positions} or less",
        )
    return facts


def _require_divisible(manifest: Manifest, heads: int) -> None:
    """Check that the engine's GPUs get equally many attention heads each."""
    where, count = "evaluation.tensor_parallel_size", manifest.evaluation.tensor_parallel_size
    if heads % count:
        raise ManifestError(
            f"{manifest.origin_of(where)}: {where} does not divide the base's attention heads",
            expected=f"a divisor of {heads} (num_attention_heads in config.json)",
            found=count,
            remedy=f"set {where} = {max(n for n in range(1, count) if heads % n == 0)}, or a "
            "larger divisor",
        )


def require_values(manifest: Manifest) -> str:
    """Read all weights of a base once, which `require_base` does not, and return a line about them.

    Raises:
        ModelError: one is not finite, or they are empty.
    """
    path = _path("values", base_digest(manifest, "kit.preflight.weights"))
    found = _once(path, lambda: {"values": require_finite(base_folder(manifest))}).get("values")
    if type(found) is not int:
        raise damaged(path, f"values: {found!r:.80}")
    return f"all {found:,} values are finite"


def require_records(plan: Plan) -> RecordTokens:
    """Check that every picture can be read and every record fits into the context.

    Raises:
        DataError, ManifestError: one does not.
    """
    path = records_path(plan.manifest)
    return _typed(_TOKENS, path, _once(path, lambda: _measure(plan)))


def base_path(manifest: Manifest) -> Path:
    """Return the file that keeps what was found out about a base."""
    return _path("base", base_digest(manifest, MODULE))


def records_path(manifest: Manifest) -> Path:
    """Return the file that keeps what was found out about the records."""
    return _path("records", records_digest(manifest, MODULE))


def known_records(manifest: Manifest) -> RecordTokens | None:
    """Return what an earlier check has found out about the records; None if there was none."""
    path = records_path(manifest)
    return _typed(_TOKENS, path, read_object(path)) if path.is_file() else None


def _path(kind: str, digest: str) -> Path:
    return cache_root() / "artifacts" / f"checked-{kind}-{digest[:16]}.json"


def _typed(kind: TypeAdapter[T], path: Path, stored: object) -> T:
    """Return what a file keeps, whose values must have their types."""
    try:
        return kind.validate_json(json.dumps(stored), strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise damaged(path, ": ".join(filter(None, [where, first["msg"]]))) from None


def _once(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    if path.is_file():
        return read_object(path)
    found = make()
    write_json(path, found)
    return found


def _examine(manifest: Manifest) -> dict[str, Any]:
    folder, section = base_folder(manifest), manifest.model
    with reading(folder, CONFIG):
        structure = read_structure(folder, section)
    with reading(folder, "*.safetensors"):
        weights = read_weights(folder)
    with reading(folder, "processor and tokenizer"):
        processor = open_processor(folder, section)
        tokens = require_processor(processor, structure.sizes.vocabulary)
    with reading(folder, f"{CONFIG} or generation_config.json"):
        empty = load_empty(folder)
        require_tiles(empty, processor)
        require_features(empty, tokens.prompt)
        # Also those of a generation_config.json that cannot be read.
        _require_known(end_tokens(folder, processor), structure.sizes.vocabulary)
    doubled = weights.in_float32 and section.compute_dtype == "bfloat16"
    notice = "; that is twice the disk of 16 bits, which it is computed in" if doubled else ""
    facts = BaseFacts(
        weights.describe() + notice, structure.describe(), tokens.describe(), structure.sizes
    )
    return {"facts": asdict(facts), "positions": structure.positions}


def _require_known(ends: list[int], vocabulary: int) -> None:
    if ends[-1] >= vocabulary or ends[0] < 0:
        raise ModelError(
            "generation_config.json names an end token that the model does not have",
            expected=f"tokens from 0 to {vocabulary - 1}",
            found=f"{ends}",
            remedy="fetch generation_config.json and config.json of one revision of the base",
        )


def _measure(plan: Plan) -> dict[str, Any]:
    folder = base_folder(plan.manifest)
    processor = open_processor(folder, plan.manifest.model)
    benchmark = load_benchmark(plan.manifest, places(plan.manifest))
    return measure_records(plan, processor, benchmark, fixed_side(folder)).stored()
