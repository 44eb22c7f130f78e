"""Attacks, one file each: does forgotten knowledge come back?"""

from kit.attacks.attack import Around, Attack

__all__ = ["Around", "Attack"]
