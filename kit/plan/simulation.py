"""How long tasks take on so many cards, by simulation: stage after stage, or by their needs alone.

A card works on one task at a time. It pays the start of a kind of work once, before its first task
of that kind, as a worker or an engine that is kept does. Lengths are in any unit of time.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NOTHING: Mapping[str, float] = {}


@dataclass(frozen=True)
class Task:
    """A piece of work that one card does at a time."""

    name: str
    phase: str
    """Its kind of work. The kit begins a phase when the one before is finished."""
    length: float
    makes: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    """What must exist before it begins. What no task makes is there."""


def work(tasks: Sequence[Task]) -> float:
    """Return the length of all tasks together."""
    return sum(task.length for task in tasks)


def phases(tasks: Sequence[Task]) -> dict[str, list[Task]]:
    """Return the tasks of each phase, in order."""
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.phase, []).append(task)
    return found


def staged(
    tasks: Sequence[Task], cards: int, starts: Mapping[str, float] = NOTHING
) -> dict[str, float]:
    """Return the time of each phase. Tasks of a phase begin in their order, as a card is free."""
    found = {}
    for phase, own in phases(tasks).items():
        busy = [starts.get(phase, 0.0)] * min(cards, len(own))
        for task in own:
            heapq.heapreplace(busy, busy[0] + task.length)
        found[phase] = max(busy)
    return found


def unstaged(tasks: Sequence[Task], cards: int, starts: Mapping[str, float] = NOTHING) -> float:
    """Return the time if a task begins as soon as what it needs exists and a card is free.

    Of those that can begin, the one with the longest way to the end is first.
    """
    waiting, following = _links(tasks)
    rank = _ways(tasks, following)
    ready = [(-rank[n], n) for n in range(len(tasks)) if not waiting[n]]
    heapq.heapify(ready)
    free = list(range(cards))
    opened: list[set[str]] = [set() for _ in free]
    running: list[tuple[float, int, int]] = []  # end, task, card
    now = 0.0
    while ready or running:
        while ready and free:
            _, number = heapq.heappop(ready)
            task = tasks[number]
            card = next((c for c in free if task.phase in opened[c]), free[0])
            free.remove(card)
            start = 0.0 if task.phase in opened[card] else starts.get(task.phase, 0.0)
            opened[card].add(task.phase)
            heapq.heappush(running, (now + start + task.length, number, card))
        now, number, card = heapq.heappop(running)
        free.append(card)
        for after in following[number]:
            waiting[after] -= 1
            if not waiting[after]:
                heapq.heappush(ready, (-rank[after], after))
    assert not any(waiting), "no task needs itself"
    return now


def longest_way(tasks: Sequence[Task]) -> float:
    """Return the longest chain of tasks of which each needs the one before."""
    return max(_ways(tasks, _links(tasks)[1]), default=0.0)


def _links(tasks: Sequence[Task]) -> tuple[list[int], list[list[int]]]:
    """Return how many tasks each one waits for, and which ones wait for it."""
    maker = {made: number for number, task in enumerate(tasks) for made in task.makes}
    waiting = [0] * len(tasks)
    following: list[list[int]] = [[] for _ in tasks]
    for number, task in enumerate(tasks):
        for other in {maker[needed] for needed in task.needs if needed in maker}:
            waiting[number] += 1
            following[other].append(number)
    return waiting, following


def _ways(tasks: Sequence[Task], following: Sequence[Sequence[int]]) -> list[float]:
    """Return the longest way from the begin of each task to the end. Makers come before users."""
    found = [0.0] * len(tasks)
    for number in range(len(tasks) - 1, -1, -1):
        after = max((found[other] for other in following[number]), default=0.0)
        found[number] = tasks[number].length + after
    return found
