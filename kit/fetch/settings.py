"""How a fetch behaves. No setting changes which bytes are accepted."""

from dataclasses import dataclass

SPARE_FACTOR = 1.2  # times the bytes to download: other programs write meanwhile


@dataclass(frozen=True)
class Settings:
    """Flags of the command line, and how patient a transfer is.

    `workers` is how many files are downloaded at a time. `attempts` is how often a host may fail in
    a row before the next one is tried; a failure after new bytes restarts the count. `pause` is the
    first wait between attempts in seconds, doubled each time up to `longest_pause`. `silence` is
    how many seconds a host may send nothing.
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
