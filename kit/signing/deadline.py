"""A time limit for services that may never answer."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Unanswered(Exception):
    """A service did not answer. Not an OSError, because urllib3 would handle that as its own."""


@contextmanager
def answered_within(seconds: int) -> Iterator[None]:
    """Stop the block after `seconds`. Only the main thread of a process may use it.

    Raises:
        Unanswered: the time is over.
    """

    def expire(*_: object) -> None:
        raise Unanswered(f"no answer within {seconds} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
