"""Which failures of a host are temporary, and how long a fetch waits before it asks again.

Written by hand because no retry library (tenacity, stamina) is in the locks, and because a transfer
counts failures against the bytes that arrived, which these libraries do not.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx2

from kit.console import say
from kit.fetch.settings import Settings
from kit.fetch.version import number

TEMPORARY_STATUSES = (408, 425, 429, 500, 502, 503, 504)
MAX_ASKED_SECONDS = 600.0  # however long a host asks to wait
ANNOUNCED_SECONDS = 5.0  # waits from this on are announced
Answer = TypeVar("Answer")


class Again(Exception):
    """A temporary failure; `wait` is how many seconds the host asks to wait, if it does."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.reason, self.wait = reason, wait
        super().__init__(reason)


def retry_after(answer: httpx2.Response) -> float | None:
    """Return the seconds that a Retry-After header asks to wait; it holds a number or a date."""
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
        failures: how many there were in a row, at least 1; each doubles the wait.
        asked: seconds that the host asks to wait instead.
        why: the failure, for the announcement.
    """
    doubled = min(settings.pause * 2 ** (failures - 1), settings.longest_pause)
    seconds = doubled if asked is None else min(asked, MAX_ASKED_SECONDS)
    if seconds >= ANNOUNCED_SECONDS:
        say(f"fetch: {why}; trying again in {seconds:.0f} s")
    return seconds


def ask_patiently(ask: Callable[[], Answer], what: str, settings: Settings) -> Answer:
    """Return what a host answers; ask again after each temporary failure.

    Raises:
        httpx2.HTTPError: the last failure, or the first that is not temporary.
    """
    for failures in range(1, settings.attempts):
        try:
            return ask()
        except httpx2.HTTPError as error:
            answer = getattr(error, "response", None)
            if answer is not None and answer.status_code not in TEMPORARY_STATUSES:
                raise
            found = type(error).__name__ if answer is None else f"HTTP {answer.status_code}"
            asked = None if answer is None else retry_after(answer)
        time.sleep(next_pause(settings, failures, asked, f"{what}: {found}"))
    return ask()
