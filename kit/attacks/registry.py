"""Find an attack by its name and build it with its options."""

import importlib
from pathlib import Path

from kit.attacks.attack import Attack
from kit.errors import ManifestError, unknown
from kit.experiment.attack import AttackEntry
from kit.experiment.options import built

FOLDER = Path(__file__).parent
MARK = "\nATTACK = "  # how the file of an attack ends
LISTED = "kit/attacks/README.md lists attacks, levels and options"
STRENGTH = f"the strength of an attack is in `levels`; {LISTED}"


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
    try:
        attack = built(
            kind, entry.options, f"attack '{entry.attack}'", origin=origin, remedy=STRENGTH
        )
    except ValueError as error:
        raise ManifestError(
            f"{origin}: '{entry.attack}' refuses its options",
            expected=f"values that kit/attacks/{entry.attack}.py takes",
            found=str(error)[:200],
            remedy=f"correct `options`; {LISTED}",
        ) from None
    _require_levels(entry, attack, origin)
    return attack


def _require_levels(entry: AttackEntry, attack: Attack, origin: str) -> None:
    for level in entry.levels:
        inside = attack.least <= level <= attack.most
        if not inside or (attack.whole and level != int(level)):
            kind = "a whole number" if attack.whole else "a number"
            raise ManifestError(
                f"{origin}: the level {level:g} is not valid",
                expected=f"{kind} from {attack.least:g} to {attack.most:g} ({attack.unit})",
                found=f"{level:g}",
                remedy="correct `levels`",
            )
    if doubled := [level for level in entry.levels if entry.levels.count(level) > 1]:
        raise ManifestError(
            f"{origin}: the level {doubled[0]:g} is there twice",
            expected="each level once",
            found=", ".join(f"{level:g}" for level in entry.levels),
            remedy="correct `levels`",
        )
