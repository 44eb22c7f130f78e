"""Which records a training step sees: a pure function of (seed, step), so that resume is exact."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

from kit.benchmarks.records import Concept, Record
from kit.streams import shuffled, stream


@dataclass(frozen=True)
class Pool:
    """Records visited in a new order every epoch."""

    name: str
    records: tuple[Record, ...]
    seed: int

    def at(self, index: int) -> tuple[Record, int]:
        """Return the `index`-th record drawn and its epoch."""
        epoch, position = divmod(index, len(self.records))
        return self.records[_order(self.name, self.seed, epoch, len(self.records))[position]], epoch

    def take(self, step: int, count: int) -> list[tuple[Record, int]]:
        """Return the records of one step, each with its epoch."""
        return [self.at(step * count + offset) for offset in range(count)]


@lru_cache(maxsize=64)
def _order(name: str, seed: int, epoch: int, size: int) -> tuple[int, ...]:
    return tuple(shuffled(range(size), "order", name, seed, epoch))


class Balanced:
    """As many records of each concept in every step, from one pool a concept, in turn.

    In turn, so that micro-batches of a step are balanced as well.
    """

    def __init__(self, name: str, records: Sequence[Record], seed: int) -> None:
        self._pools = [
            Pool(f"{name}/{concept}", tuple(chosen), seed)
            for concept in Concept
            if (chosen := [record for record in records if record.concept is concept])
        ]

    def take(self, step: int, count: int) -> list[tuple[Record, int]]:
        """Return the records of one step, each with its epoch."""
        shares = []
        for index, pool in enumerate(self._pools):
            share = count // len(self._pools) + (index < count % len(self._pools))
            shares.append(pool.take(step, share))
        turns = zip_longest(*shares)
        return [drawn for turn in turns for drawn in turn if drawn is not None]


class Mixed:
    """A fixed share of every step from a second pool."""

    def __init__(self, main: Pool, second: Pool, share: float) -> None:
        self._main, self._second, self._share = main, second, share

    def take(self, step: int, count: int) -> list[tuple[Record, int]]:
        """Return the records of one step, each with its epoch."""
        other = round(count * self._share)
        return self._main.take(step, count - other) + self._second.take(step, other)


def partner(record: Record, epoch: int, retain: Sequence[Record], seed: int) -> Record:
    """Return the retain record that goes with a forget record in this epoch."""
    return retain[stream("partner", seed, epoch, record.id).randrange(len(retain))]


def single_images(records: Sequence[Record], seed: int) -> list[Record]:
    """Keep one record of each forgotten concept, drawn by seed."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        subject = record.event if record.concept is Concept.EVENT else record.person
        groups.setdefault((record.concept, subject), []).append(record)
    return [
        stream("single image", seed, *key).choice(sorted(group, key=lambda r: r.id))
        for key, group in sorted(groups.items())
    ]
