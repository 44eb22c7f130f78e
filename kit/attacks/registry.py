"""Find an attack by its name and build it with its options."""

import dataclasses
import importlib
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from kit.attacks.attack import Attack
from kit.errors import ManifestError, unknown
from kit.experiment.attack import AttackEntry

FOLDER = Path(__file__).parent
MARK = "\nATTACK = "  # how the file of an attack ends
LISTED = "kit/attacks/README.md lists attacks, levels and options"


def names() -> list[str]:
    """Return the attacks: the files of this folder that define `ATTACK`."""
    files = FOLDER.glob("*.py")
    return sorted(path.stem for path in files if MARK in path.read_text("utf-8", errors="replace"))


def build(entry: AttackEntry, origin: str = "manifest") -> Attack:
    """Return the attack of an entry, with its options.

    Raises:
        ManifestError: no such attack or option, a value that the attack refuses, a level that is
            out of range or there twice, or an attack whose file lacks a function.
    """
    origin = f"{origin}: attack '{entry.name}'"
    if entry.attack not in names():
        what = f"{origin}: no attack '{entry.attack}'"
        remedy = f"use one of these, or write kit/attacks/{entry.attack}.py; {LISTED}"
        raise unknown(what, entry.attack, names(), remedy=remedy)
    kind: type[Attack] = importlib.import_module(f"kit.attacks.{entry.attack}").ATTACK
    if lacking := sorted(getattr(kind, "__abstractmethods__", ())):
        raise ManifestError(
            f"{origin}: '{entry.attack}' is not whole",
            expected=f"a function `{lacking[0]}` in kit/attacks/{entry.attack}.py",
            found=f"{kind.__name__} without it",
            remedy=f"define `{lacking[0]}` as the base class of {kind.__name__} describes it",
        )
    known = {field.name: field for field in dataclasses.fields(kind)}
    for option, value in entry.options.items():
        if option not in known:
            what = f"{origin}: '{entry.attack}' has no option '{option}'"
            if not known:
                raise ManifestError(what, expected="no option", remedy="leave `options` out")
            remedy = "correct `options`; the strength of an attack is in `levels`"
            raise unknown(what, option, known, remedy=remedy)
        wanted = _kind_of(known[option])
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            raise ManifestError(
                f"{origin}: option '{option}' is not valid",
                expected=wanted.__name__,
                found=repr(value),
                remedy=f"correct it; {LISTED}",
            )
    try:
        attack = kind(**entry.options)
    except ValueError as error:
        raise ManifestError(
            f"{origin}: '{entry.attack}' refuses its options",
            found=str(error)[:200],
            remedy=f"correct `options`; {LISTED}",
        ) from None
    _require_levels(entry, attack, origin)
    return attack


def _kind_of(option: "dataclasses.Field[Any]") -> type:
    """Return the type of an option's values; None, where it is allowed, is an option left out."""
    kinds: tuple[type, ...] = get_args(option.type) or (option.type,)
    return next(kind for kind in kinds if kind is not NoneType)


def _require_levels(entry: AttackEntry, attack: Attack, origin: str) -> None:
    for level in entry.levels:
        inside = attack.least <= level <= attack.most
        if not inside or (attack.whole and level != int(level)):
            kind = "a whole number" if attack.whole else "a number"
            raise ManifestError(
                f"{origin}: the level {level:g} is not valid",
                expected=f"{kind} from {attack.least:g} to {attack.most:g} ({attack.unit})",
                remedy="correct `levels`",
            )
    if doubled := [level for level in entry.levels if entry.levels.count(level) > 1]:
        raise ManifestError(
            f"{origin}: the level {doubled[0]:g} is there twice", remedy="correct `levels`"
        )
