"""An object store as the place of a cluster's artifacts: each machine has a cache of its own.

An artifact is published by its entry (`kit.cluster.entries`), which is written only if there is
none: so the first of two attempts wins, as in a folder. A driver tells a node the digest of each
entry that it is to read, and a node tells the driver those of what it has made. So every byte is
held against a digest that came another way than the byte.
"""

import secrets
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from kit.cluster.copies import AT_ONCE, Copies
from kit.cluster.entries import Entry, blob_of, damaged, decoded, key_of
from kit.cluster.objects import Objects
from kit.cluster.places import CHECK_S, RETRY_S
from kit.errors import ChecksumError, EnvironmentFault, KitError

SIGN_S = 20.0  # between two signs of life
RECORD = "job.json"  # of an artifact: seconds and the like, which differ where its bytes do not


class ObjectStore:
    """A store, seen from one machine.

    Args:
        url: `s3://BUCKET/PREFIX`.
        root: the cache of this machine.
        own: what this machine has made before is its own, and never replaced: so it is on the
            driver. A node's cache is a copy.
        retry_s: for how many seconds a request is repeated that fails on its way.
    """

    apart = True
    word = "object store"
    remedy = (
        "set the same AWS_ENDPOINT_URL there, and a key that may read and write, before "
        "`./run.sh ray start`"
    )

    def __init__(
        self, url: str, root: Path, *, own: bool = False, retry_s: float = RETRY_S
    ) -> None:
        self._objects = Objects(url, retry_s)
        self.where, self.root = self._objects.url, root.resolve()
        self._copies = Copies(self.root, self._objects)
        self._own = own
        self._known: dict[str, str] = {}  # {name: digest} of what the store has, as this machine
        self._signs: dict[str, tuple[threading.Event, threading.Thread]] = {}
        self._heard: dict[str, tuple[str, float]] = {}
        self._listened = -SIGN_S

    def check(self) -> list[str]:
        objects, key = Objects(self.where, CHECK_S), f"checks/{secrets.token_hex(8)}"
        first, second = (objects.write_new(key, word) for word in (b"first", b"second"))
        kept = objects.read(key)
        listed = [each.key for each in objects.list("checks")]
        objects.delete([key])
        if (first, second, kept) != (True, False, b"first") or key not in listed:
            raise EnvironmentFault(
                f"{self.where}: the store does not protect an object from a second writer",
                expected="a second write with `If-None-Match: *` is refused, and what was written "
                "is listed and read at once",
                found="the second write was accepted" if second else "another object, or none",
                remedy="use a store that does so, as Amazon S3 does, or a newer version of its "
                "server",
            )
        return [f"store: {self.where} can be read and written; the first writer wins"]

    def write_note(self) -> str:
        note = f"checks/note-{secrets.token_hex(8)}"
        self._objects.write(note, secrets.token_hex(8).encode())
        return note

    def read_note(self, note: str) -> str:
        return (self._objects.read(note) or b"no such object").decode()

    def remove_note(self, note: str) -> None:
        self._objects.delete([note])

    def lend(self, names: Iterable[str]) -> dict[str, str]:
        asked = list(names)
        self.give(name for name in asked if name not in self._known)
        return {name: self._known[name] for name in asked}

    def bring(self, wanted: Mapping[str, str]) -> None:
        for name, digest in wanted.items():
            if self._known.get(name) != digest:
                entry = self._entry(name, digest)
                if entry is None:
                    raise self._missing(name)
                self._take(entry)

    def find(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._known and (entry := self._entry(name)) is not None:
                self._take(entry)

    def give(self, names: Iterable[str]) -> dict[str, str]:
        return {name: self._given(name) for name in names}

    def _given(self, name: str) -> str:
        """Publish one artifact, unless another machine was first; return the digest of the entry.

        Raises:
            ChecksumError: another machine has made other bytes of what is this one's own.
        """
        mine, theirs = self._copies.own(name), self._entry(name)
        if theirs is None:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda path: self._upload(mine, path), mine.files))
            if not self._objects.write_new(mine.key, mine.encoded):
                theirs = self._entry(name)  # perhaps ours: an answer may be lost on its way
        if theirs is not None and theirs != mine:
            if self._own and theirs.without(RECORD) != mine.without(RECORD):
                raise ChecksumError(
                    f"{name} has other bytes in this cache than in {self.where}",
                    expected=f"the files of {self.root / name}",
                    found=f"{self._objects.named(theirs.key)}, of another machine",
                    remedy="name another prefix with --store; or, to use what is there, remove "
                    f"{self.root / name}",
                )
            self._take(theirs)
            return theirs.digest
        self._known[name] = mine.digest
        return mine.digest

    def _upload(self, entry: Entry, path: str) -> None:
        size, digest = entry.files[path]
        key = blob_of(digest)
        if self._objects.size(key) != size:
            self._objects.write(key, self.root / entry.name / path)

    def _take(self, entry: Entry) -> None:
        self._copies.bring(entry)
        self._known[entry.name] = entry.digest

    def _entry(self, name: str, digest: str | None = None) -> Entry | None:
        key = key_of(name)
        data = self._objects.read(key)
        if data is None:
            return None
        return decoded(data, name, self._objects.named(key), digest)

    def _missing(self, name: str) -> KitError:
        address = self._objects.named(key_of(name))
        return damaged(address, [address], expected=f"the list of the files of {name}", found=None)

    def sign(self, token: str, node: str) -> None:
        if token in self._signs:
            return
        ended = threading.Event()

        def tell() -> None:
            while not ended.is_set():
                with suppress(KitError):  # a store that is gone for a while
                    self._objects.write(f"signs/{token}/{node}", b"")
                ended.wait(SIGN_S)

        # Beside the work: a large file may be on its way for minutes.
        thread = threading.Thread(target=tell, daemon=True)
        self._signs[token] = ended, thread
        thread.start()

    def end(self, token: str) -> None:
        if token in self._signs:
            ended, _ = self._signs.pop(token)
            ended.set()

    def heard(self, token: str) -> tuple[str, float] | None:
        if time.monotonic() - self._listened >= SIGN_S / 2:
            self._listened = time.monotonic()
            listed = [(each.key.split("/"), each.changed) for each in self._objects.list("signs")]
            self._heard = {key[1]: (key[2], changed) for key, changed in listed if len(key) == 3}
        return self._heard.get(token)

    def close(self, tokens: Sequence[str]) -> None:
        ended = set(tokens)
        objects = Objects(self.where, CHECK_S)  # whoever interrupts a run does not wait for long
        objects.delete([s.key for s in objects.list("signs") if s.key.split("/")[1] in ended])
