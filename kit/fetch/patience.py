"""Which failures of a host may pass, and how long a fetch waits before it asks again."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx2

from kit.console import say
from kit.fetch.settings import Settings
from kit.fetch.version import number

AGAIN = (408, 425, 429, 500, 502, 503, 504)  # of the statuses, those that may pass
LONGEST_ASKED = 600.0  # seconds that a host may ask to be left alone; then it is tried again
WORTH_A_LINE = 5.0  # seconds of waiting
Answer = TypeVar("Answer")


class Again(Exception):
    """A failure that may pass; `wait` is how long the host asks to be left alone, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.reason, self.wait = reason, wait
        super().__init__(reason)


def retry_after(answer: httpx2.Response) -> float | None:
    """Return how many seconds the Retry-After header, a number or a date, asks to wait."""
    value = answer.headers.get("Retry-After", "")
    if (seconds := number(value)) is not None:
        return float(seconds)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def next_pause(settings: Settings, failures: int, asked: float | None, why: str) -> float:
    """Return the seconds until the next attempt; a long wait is announced.

    Args:
        failures: how many there were in a row; each doubles the wait.
        asked: what the host asks for instead.
    """
    doubled = min(settings.pause * 2 ** (failures - 1), settings.longest_pause)
    seconds = doubled if asked is None else min(asked, LONGEST_ASKED)
    if seconds >= WORTH_A_LINE:
        say(f"fetch: {why}; again in {seconds:.0f} s")
    return seconds


def patiently(ask: Callable[[], Answer], what: str, settings: Settings) -> Answer:
    """Return what a host answers, asked again after every failure that may pass.

    Raises:
        httpx2.HTTPError: the last failure, or the first that will not pass, as it is.
    """
    for failures in range(1, settings.attempts):
        try:
            return ask()
        except httpx2.HTTPError as error:
            answer = getattr(error, "response", None)
            if answer is not None and answer.status_code not in AGAIN:
                raise
            found = type(error).__name__ if answer is None else f"HTTP {answer.status_code}"
            asked = None if answer is None else retry_after(answer)
        time.sleep(next_pause(settings, failures, asked, f"{what}: {found}"))
    return ask()
