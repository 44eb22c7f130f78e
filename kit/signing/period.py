"""The period in which a listed key may sign, from the options of an allowed_signers line.

Source: ssh-keygen(1), ALLOWED SIGNERS: valid-after and valid-before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


@dataclass(frozen=True)
class Period:
    """From `start` up to, but not including, `end`; None where there is no limit."""

    start: datetime | None = None
    end: datetime | None = None

    def __str__(self) -> str:
        words = []
        if self.start:
            words.append(f"from {stamp(self.start)}")
        if self.end:
            words.append(f"until {stamp(self.end)}")
        return " ".join(["valid", *words]) if words else ""

    def is_over(self, moment: datetime) -> bool:
        """Tell whether the period has ended at `moment`."""
        return self.end is not None and moment >= self.end

    def is_ahead(self, moment: datetime) -> bool:
        """Tell whether the period has not begun at `moment`."""
        return self.start is not None and moment < self.start

    def holds(self, moment: datetime) -> bool:
        """Tell whether `moment` lies in the period."""
        return not self.is_over(moment) and not self.is_ahead(moment)


ALWAYS = Period()


def stamp(moment: datetime) -> str:
    """Return a time for people: `2028-11-24 00:00 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def parse_time(text: str) -> datetime:
    """Read YYYYMMDD[HHMM[SS]][Z]; without Z it is local time, as in ssh-keygen.

    Raises:
        ValueError: the text has another form.
    """
    digits = text.removesuffix("Z")
    if len(digits) not in _FORMATS or not digits.isdigit():
        raise ValueError(f"{text!r} is not a time")
    moment = datetime.strptime(digits, _FORMATS[len(digits)])
    return moment.replace(tzinfo=UTC) if text.endswith("Z") else moment.astimezone()
