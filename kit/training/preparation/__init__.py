"""Needs of methods and how they are prepared: one file per need, named after its field of `Needs`.

A file defines `PREPARATION`, a subclass of `Preparation`. Needs that ask for nothing ready-made
(`forget`, `reference_distribution`, `training`) have no file. A file belongs to the digest of those
jobs alone whose method declares the need.
"""

import importlib
from pathlib import Path

from kit.training.preparation.base import Context, Preparation

FOLDER = Path(__file__).parent


def prepared_needs(declared: dict[str, object]) -> list[str]:
    """Return those of the declared needs that have a file here."""
    return [need for need in declared if (FOLDER / f"{need}.py").is_file()]


def preparation_of(need: str, context: Context) -> Preparation:
    """Return the preparation of a need for one job."""
    kind: type[Preparation] = importlib.import_module(f"{__name__}.{need}").PREPARATION
    return kind(context)
