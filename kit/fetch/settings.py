"""How a fetch behaves; none of it changes which bytes are right."""

from dataclasses import dataclass

SPARE = 1.2  # of the bytes to bring: other things are written meanwhile


@dataclass(frozen=True)
class Settings:
    """Flags of the command line, and the patience of a transfer.

    `attempts` is how often a host may fail in a row before the next one is tried; a failure after
    some bytes begins the count anew. `pause` is the first wait between attempts in seconds, doubled
    each time up to `longest_pause`; `silence` is how long a host may send nothing, in seconds.
    """

    offline: bool = False
    allow_unlocked: bool = False
    accept_licences: bool = False
    workers: int = 4
    attempts: int = 5
    pause: float = 1.0
    longest_pause: float = 60.0
    silence: float = 30.0


DEFAULT = Settings()
