"""Attacks, one file each: does what looks forgotten come back?"""

from kit.attacks.attack import Around, Attack

__all__ = ["Around", "Attack"]
