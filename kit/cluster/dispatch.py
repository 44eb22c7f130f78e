"""Submit what is ready, wait with a time-out, and submit again what a lost node was at.

Which node does what, and when, is the cluster's decision. This loop adds what a cluster does not
know: an attempt on a node that is dead or silent is given up, and it may be repeated, because the
first of two attempts to publish wins.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from kit.cluster.faults import error_of
from kit.cluster.interpreter import Reply
from kit.cluster.request import Request
from kit.console import say
from kit.errors import EnvironmentFault
from kit.failures import MEMORY_REMEDY
from kit.stages.ends import ended_worker

POLL_S = 5.0
ATTEMPTS = 5  # of one piece of work: one that kills its worker would do so for ever
SILENT_S = 300.0  # without a sign of the supervisor's life, though the cluster holds the node alive
NO_NODE_S = 600.0  # without a node that has the resources


class LostError(Exception):
    """An attempt will never reply: its worker or its node is gone."""


class Cluster(Protocol):
    """What the loop needs of a cluster. An attempt is named by a number."""

    def slots(self) -> int:
        """Return how many pieces of work run at the same time, as of now."""
        ...

    def submit(self, request: Request, *, warm: bool) -> int:
        """Hand a piece of work over; with `warm`, to an interpreter that is kept."""
        ...

    def wait(self, attempts: Sequence[int], seconds: float) -> list[int]:
        """Return the attempts that have an outcome; wait at most so long for one."""
        ...

    def reply(self, attempt: int) -> Reply:
        """Return the reply of an attempt that has an outcome.

        Raises:
            LostError: its worker or node was killed.
        """
        ...

    def sign(self, attempt: int) -> tuple[str, float] | None:
        """Return an attempt's node, and the time of its last sign of life.

        None where the attempt has not begun, has tidied up already, or nothing can be read.
        """
        ...

    def lives(self, node: str) -> bool:
        """Return whether the cluster holds a node alive."""
        ...

    def give_up(self, attempt: int) -> None:
        """Stop an attempt, if that is still possible, and forget it."""
        ...

    def release(self) -> None:
        """End the kept interpreters that have nothing to do."""
        ...


@dataclass
class _Attempt:
    request: Request
    number: int
    node: str = ""
    """Where it has begun; it stays, also where its sign can no longer be read."""
    sign: float = 0.0
    """The last sign of life that was seen, by the clock of the shared folder."""
    seen: float = 0.0
    """When it was first seen, by the clock of this process."""


def run(
    cluster: Cluster,
    requests: Sequence[Request],
    *,
    warm: bool = False,
    poll_s: float = POLL_S,
    silent_s: float = SILENT_S,
    now: Callable[[], float] = time.monotonic,
) -> Generator[tuple[Request, object], None, None]:
    """Do all pieces of work; yield each with what it returned as soon as it is done.

    Args:
        warm: interpreters are kept from one piece of work to the next, one for each card.

    Raises:
        KitError: a piece of work failed; the others are stopped, and what is finished is kept.
        EnvironmentFault: a worker was killed again and again, or no node is left.
    """
    waiting = deque(_Attempt(request, 1) for request in requests)
    running: dict[int, _Attempt] = {}
    emptied = now()
    try:
        while waiting or running:
            slots = cluster.slots()
            emptied = now() if slots else emptied
            if now() - emptied > NO_NODE_S:
                raise _no_node([*waiting, *running.values()])
            while waiting and (not warm or len(running) < max(1, slots)):
                attempt = waiting.popleft()
                running[cluster.submit(attempt.request, warm=warm)] = attempt
            for number in cluster.wait(list(running), poll_s):
                attempt = running.pop(number)
                try:
                    reply = cluster.reply(number)
                except LostError as lost:
                    waiting.append(_again(attempt, str(lost)))
                    continue
                if "ended" in reply:
                    waiting.append(_again(attempt, "its interpreter was killed", reply["ended"]))
                    continue
                if "error" in reply:
                    raise error_of(reply["error"])
                if warm and not waiting:
                    cluster.release()
                yield attempt.request, reply["done"]
            for number, attempt in list(running.items()):
                _note(attempt, cluster.sign(number), now())
                if why := _gone(attempt, cluster, silent_s, now()):
                    del running[number]
                    cluster.give_up(number)
                    waiting.append(_again(attempt, why))
    finally:
        for number in running:
            cluster.give_up(number)
        if warm:
            cluster.release()


def _note(attempt: _Attempt, sign: tuple[str, float] | None, now: float) -> None:
    """Note where an attempt is and when it last showed that it lives."""
    if sign is not None and (attempt.node, attempt.sign) != sign:
        attempt.node, attempt.sign = sign
        attempt.seen = now


def _gone(attempt: _Attempt, cluster: Cluster, silent_s: float, now: float) -> str | None:
    """Return why an attempt will not reply; None while it may.

    One that has finished and tidied up behind a cut cable has no sign any more. Its node tells.
    """
    if not attempt.node:
        return None
    if not cluster.lives(attempt.node):
        return "its node is dead"
    return f"its node was silent for {silent_s:.0f} s" if now - attempt.seen > silent_s else None


def _again(attempt: _Attempt, why: str, code: int | None = None) -> _Attempt:
    """Return the next attempt, unless there were enough.

    Raises:
        EnvironmentFault: there were.
    """
    place = attempt.request.place
    if attempt.number == ATTEMPTS:
        if code is not None:
            raise ended_worker(f"{place}, attempt {ATTEMPTS}: ", code)
        raise EnvironmentFault(
            f"{place}: lost {ATTEMPTS} times",
            expected=f"its result, in {ATTEMPTS} attempts",
            found=why,
            remedy=f"look at the nodes (./run.sh ray status) and at their memory; {MEMORY_REMEDY}",
        )
    say(f"  {place}: {why}; attempt {attempt.number + 1} of {ATTEMPTS}")
    return _Attempt(attempt.request, attempt.number + 1)


def _no_node(left: Sequence[_Attempt]) -> EnvironmentFault:
    places = [attempt.request.place for attempt in left]
    return EnvironmentFault(
        f"the cluster has had no node that can work for {NO_NODE_S:.0f} s",
        expected="a node with a free card, or with as many CPUs as compute.threads",
        found=f"{len(places)} pieces of work remain: {', '.join(places[:3])}"
        + (" ..." if len(places) > 3 else ""),
        remedy="start a node (./run.sh ray start --address=HEAD:PORT) and run the same command "
        "again: finished work is kept",
    )
