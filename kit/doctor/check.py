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

    @classmethod
    def judge(cls, name: str, found: str, *, wrong: bool, remedy: str) -> "Check":
        """Return a check that fails, with its remedy, if `wrong`."""
        return cls(name, found, wrong, remedy if wrong else "")
