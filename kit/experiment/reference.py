"""The reference of a manifest's keys as Markdown: type, default and description of each.

    python -P -m kit.experiment.reference

prints the tables that manifests/README.md holds between its two marks.
"""

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic.fields import FieldInfo

from kit.experiment.claims import ClaimSection
from kit.experiment.judge import JudgeSection
from kit.experiment.manifest import (
    AttackEntry,
    AttackSection,
    BenchmarkSection,
    CalibrationSection,
    Columns,
    ComputeSection,
    EvaluationSection,
    FinetuneSection,
    Manifest,
    MethodSection,
    ModelSection,
    ProbeSection,
    ReportSection,
    SourceSection,
    SplitSection,
    TrainingSection,
    TuneSection,
    UnlearnSection,
)
from kit.experiment.section import NAME, Section, Unit

# Heading of each table: how a manifest writes it.
TABLES: dict[str, type[Section]] = {
    "The top of the file": Manifest,
    "`[benchmark]`": BenchmarkSection,
    "`[benchmark.columns]`": Columns,
    "`[[sources]]`, `[model.source]` and `[judge.source]`": SourceSection,
    "`[[probes]]`": ProbeSection,
    "`[split]`": SplitSection,
    "`[model]`": ModelSection,
    "`[finetune]` and `[unlearn]`": TrainingSection,
    "`[finetune]` alone": FinetuneSection,
    "`[unlearn]` alone": UnlearnSection,
    "`[[methods]]`": MethodSection,
    "`[evaluation]`": EvaluationSection,
    "`[report]`": ReportSection,
    "`[compute]`": ComputeSection,
    "`[judge]`": JudgeSection,
    "`[calibration]`": CalibrationSection,
    "`[tune]`": TuneSection,
    "`[[claims]]`": ClaimSection,
    "`[attack]`": AttackSection,
    "`[[attack.entries]]`": AttackEntry,
}
WORDS = {str: "text", int: "integer", float: "number", bool: "`true` or `false`"}
SIGNS = ((Gt, "gt", ">"), (Ge, "ge", "≥"), (Lt, "lt", "<"), (Le, "le", "≤"))


def key_tables() -> str:
    """Return one heading and one table for each section of a manifest."""
    return "\n".join(line for name in TABLES for line in _table(name, TABLES[name]))


def described_keys(section: type[Section]) -> dict[str, FieldInfo]:
    """Return the keys that a section adds to the section it extends."""
    parent = section.__bases__[0]
    inherited = parent.model_fields if issubclass(parent, Section) else {}
    return {name: field for name, field in section.model_fields.items() if name not in inherited}


def _table(heading: str, section: type[Section]) -> Iterator[str]:
    yield f"### {heading}\n"
    yield f"{' '.join((section.__doc__ or '').split(chr(10) * 2)[0].split())}\n"
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in described_keys(section).items():
        meaning = " ".join((field.description or "").split())
        yield f"| `{name}` | {_type(field)} | {_default(field)} | {meaning} |"
    yield ""


def _type(field: FieldInfo) -> str:
    named = any(getattr(item, "pattern", None) == NAME for item in _metadata(field))
    parts = ["name" if named else _words(field.annotation)]
    limits = [f"{sign} {_limit(field, kind, name)}" for kind, name, sign in SIGNS
              if _limit(field, kind, name) is not None]  # fmt: skip
    limits += _sizes(field)
    if limits:
        parts.append(", ".join(limits))
    parts += [item.name for item in _metadata(field) if isinstance(item, Unit)]
    return "; ".join(parts)


def _limit(field: FieldInfo, kind: type, name: str) -> str | None:
    found = [getattr(item, name) for item in _metadata(field) if isinstance(item, kind)]
    return f"{found[0]:g}" if found else None


def _sizes(field: FieldInfo) -> list[str]:
    counted = "characters" if field.annotation is str else "entries"
    sizes = []
    for item in field.metadata:
        if isinstance(item, MinLen) and counted == "entries":
            sizes.append(
                f"at least {item.min_length} {'entry' if item.min_length == 1 else counted}"
            )
        if isinstance(item, MaxLen):
            sizes.append(f"at most {item.max_length} {counted}")
    return sizes


def _metadata(field: FieldInfo) -> list[Any]:
    """Return the limits and units of a field, also those of `X | None`."""
    inner = [
        item for part in get_args(field.annotation) for item in getattr(part, "__metadata__", ())
    ]
    spread = [one for item in inner for one in getattr(item, "metadata", [item])]
    return [*field.metadata, *spread]


def _words(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _words(parts[0])
    if origin is Literal:
        return " or ".join(f'`"{value}"`' for value in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(part) for part in parts if part is not type(None))
    if origin is tuple and parts[-1] is Ellipsis:
        return "list of tables" if _is_section(parts[0]) else f"list of {_words(parts[0])}s"
    if origin is tuple:
        return f"list of {len(parts)} {_words(parts[0])}s"
    if origin is dict:
        return f"table of {_words(parts[1])}"
    return "table" if _is_section(annotation) else WORDS[annotation]


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, Section):
        return "the defaults of its keys"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{item}"' for item in value) + "]`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{value}`"


if __name__ == "__main__":
    print(key_tables())
