"""Values about answers in one file of the cache: computed once, and used by many jobs.

They are reference scalars, or alternates of answers.

All methods and seeds that start from the same vanilla adapter and forget the same records use the
same file. Workers append to it at the same time. The first value that is stored for an answer is
the one that everybody uses, so two workers never continue with different bits.
"""

import fcntl
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from kit.artifacts import Artifact, cache_root, storage_error
from kit.benchmarks.records import Record
from kit.code import code_of
from kit.digests import sha256_file, sha256_value
from kit.model import determinism, sharding
from kit.result.artifact_files import weights_file

Answer = tuple[str, str]
"""(record id, answer)"""
V = TypeVar("V")


class SharedValues(Generic[V]):
    """The values of a file, and what other processes append to it.

    Args:
        path: of the file; None keeps the values in this object alone.
        kind: makes a value of what the file has.
    """

    def __init__(self, path: Path | None, kind: Callable[[object], V]) -> None:
        self._path = path
        self._kind = kind
        self._values: dict[Answer, V] = {}
        self._read = 0  # bytes

    def get(self, answer: Answer) -> V | None:
        """Return the stored value, None where there is none yet."""
        if answer not in self._values and self._path is not None and self._path.is_file():
            with self._path.open("rb") as stream:
                self._read_more(stream)
        return self._values.get(answer)

    def add(self, values: Mapping[Answer, V]) -> None:
        """Store values; where another process was faster, its value is kept.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        if self._path is None:
            self._values = {**values, **self._values}
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a+b") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)  # released when the file is closed
                self._read_more(stream)
                new = {answer: v for answer, v in values.items() if answer not in self._values}
                lines = [json.dumps([*answer, value]) for answer, value in new.items()]
                # The first line break ends a line that a kill has cut off.
                stream.write("\n".join(["", *lines, ""]).encode())
                stream.flush()
                self._values |= new
        except OSError as error:
            raise storage_error(error, self._path) from None

    def _read_more(self, stream: BinaryIO) -> None:
        """Read what was appended since the last time, up to the last whole line."""
        stream.seek(self._read)
        whole = stream.read().rpartition(b"\n")[0]
        for line in whole.splitlines():
            # Empty, cut off by a kill, or damaged by the disk.
            with suppress(ValueError, TypeError, RecursionError):
                record, answer, value = json.loads(line)
                self._values.setdefault((record, answer), self._kind(value))
        self._read += len(whole)


class SharedScalars(SharedValues[float]):
    """Numbers, kept to their last bit."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(path, lambda value: float(str(value)))


def path_of(
    vanilla: Artifact | None,
    forget: Sequence[Record],
    together: int,
    need: str = "reference_scalars",
) -> Path | None:
    """Return the file for everything that decides the values; None without a vanilla adapter.

    None as well where processes share a base: they compute the same values at the same time, and
    one that found a value here would leave the others waiting in their pass.

    The digest of the vanilla adapter covers data, base, packages and threads.

    Args:
        together: how many records are computed in one batch.
        need: whose preparation computes the values.
    """
    if vanilla is None or sharding.size() > 1:
        return None
    digest = sha256_value(
        {
            "vanilla": vanilla.digest,
            "weights": sha256_file(weights_file(vanilla.path)),
            "code": code_of([f"kit.training.preparation.{need}"]),
            "forget": [
                [record.id, record.question, record.answer, record.image and record.image.name]
                for record in forget
            ],
            "together": together,
            "device": determinism.state()["device"],
        }
    )
    return cache_root() / "artifacts" / f"{need.replace('_', '-')}-{digest[:16]}.jsonl"
