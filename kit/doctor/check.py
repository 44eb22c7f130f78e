"""One line of the doctor's report."""

from dataclasses import dataclass

from kit.errors import EnvironmentFault


@dataclass(frozen=True)
class Check:
    """What was found; `remedy` is empty where nothing is wrong."""

    name: str
    found: str
    failed: bool = False
    remedy: str = ""
    exit_code: int = EnvironmentFault.exit_code


def judge(
    name: str, found: str, *, wrong: bool, remedy: str, code: int = EnvironmentFault.exit_code
) -> Check:
    """Return a check that fails, with its remedy, where something is wrong."""
    return Check(name, found, wrong, remedy if wrong else "", code)
