"""The objects of a store, by key, through obstore. The only module that imports it.

obstore is in Ray's environment: workers of Ray have it, and the driver borrows it from there. It
reads the standard variables of AWS (`AWS_ACCESS_KEY_ID` and others, `AWS_ENDPOINT_URL`), and asks
again after a failure of the server or of the network, for a bounded time.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from kit.cluster.places import RETRY_S
from kit.cluster.refusals import refusal
from kit.cluster.site import packages_of_ray
from kit.errors import ManifestError

REQUEST_S = 120.0  # for one answer, or one part of an object
PART = 16 << 20  # bytes that are moved in one request
PAUSE_S = 0.5  # before a request is repeated
SCHEMES = ("s3", "file")
Made = TypeVar("Made")


class Listed(NamedTuple):
    """An object of a listing, and the second of its last change, by the store's clock."""

    key: str
    changed: float


def require_url(url: str) -> str:
    """Return the address of a store, without a slash at its end.

    Raises:
        ManifestError: it is no such address, or holds a password.
    """
    parts = urlsplit(url)
    named = parts.netloc if parts.scheme == "s3" else parts.path.strip("/")
    if parts.username or parts.password or parts.query:
        raise ManifestError(
            "--store contains more than an address",
            expected="s3://BUCKET/PREFIX; keys belong into AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY",
            # Not the value: it may be a key.
            found="a user, a password or a query in the address",
            remedy="take the key out of the address, and do not use that key any more if this "
            "command is in a log",
        )
    if parts.scheme not in SCHEMES or not named:
        raise ManifestError(
            "--store is not the address of an object store",
            expected="s3://BUCKET/PREFIX",
            found=url,
            remedy="for example --store s3://experiments/pebench; another server than Amazon's is "
            "named by AWS_ENDPOINT_URL",
        )
    return url.rstrip("/")


class Objects:
    """The objects below an address.

    Args:
        url: `s3://BUCKET/PREFIX`; `file:///FOLDER` is for tests.
        retry_s: for how many seconds a request is repeated that fails on its way.
    """

    def __init__(self, url: str, retry_s: float = RETRY_S) -> None:
        self.url = require_url(url)
        with packages_of_ray():
            import obstore
            import obstore.store
        self._obstore: Any = obstore
        self._errors = (obstore.exceptions.BaseError, OSError)
        options: dict[str, Any] = {}
        if self.url.startswith("s3:"):
            options["client_options"] = {
                "timeout": timedelta(seconds=REQUEST_S),
                "connect_timeout": timedelta(seconds=min(10.0, retry_s)),
                "allow_http": True,  # the user named the endpoint, with its scheme
            }
            options["retry_config"] = {
                "max_retries": 1000,
                "retry_timeout": timedelta(seconds=retry_s),
                "backoff": {
                    "init_backoff": timedelta(seconds=0.2),
                    "max_backoff": timedelta(seconds=10),
                    "base": 2,
                },
            }
        else:
            options["mkdir"] = True
        self._retry_s = retry_s
        opened = partial(obstore.store.from_url, self.url, **options)
        self._store: Any = self._asked("open", "", opened)

    def named(self, key: str) -> str:
        """Return an object's address."""
        return f"{self.url}/{key}"

    def read(self, key: str) -> bytes | None:
        """Return the bytes of a small object; None if there is none."""

        def read() -> bytes:
            return bytes(self._obstore.get(self._store, key).bytes())

        return self._if_there("read", key, read)

    def size(self, key: str) -> int | None:
        """Return the number of bytes of an object; None if there is none."""

        def size() -> int:
            return int(self._obstore.head(self._store, key)["size"])

        return self._if_there("look at", key, size)

    def parts(self, key: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of an object of a known size, in parts of at most 16 MiB."""
        for start in range(0, size, PART):
            yield self._asked("read", key, partial(self._part, key, start, min(PART, size - start)))

    def write(self, key: str, data: bytes | Path) -> None:
        """Write an object, whatever is there; readers see the old one or the whole new one."""
        put = self._obstore.put
        self._asked("write", key, lambda: put(self._store, key, data, chunk_size=PART))

    def write_new(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one; return whether there was none.

        False also where an answer was lost on its way and the request was repeated: whoever asks
        compares what is there.
        """

        def write() -> bool:
            try:
                self._obstore.put(self._store, key, data, mode="create", use_multipart=False)
            except self._obstore.exceptions.AlreadyExistsError:
                return False
            return True

        return self._asked("write", key, write)

    def list(self, prefix: str) -> list[Listed]:
        """Return all objects whose key begins with a prefix and a slash."""

        def found() -> list[Listed]:
            return [
                Listed(str(each["path"]), each["last_modified"].timestamp())
                for some in self._obstore.list(self._store, prefix)
                for each in some
            ]

        return self._asked("list", prefix, found)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; one that is not there is no error."""
        for key in keys:
            self._if_there("delete", key, partial(self._obstore.delete, self._store, key))

    def _part(self, key: str, start: int, length: int) -> bytes:
        return bytes(self._obstore.get_range(self._store, key, start=start, length=length))

    def _if_there(self, operation: str, key: str, action: Callable[[], Made]) -> Made | None:
        """Return what an action gives; None where there is no such object."""

        def tried() -> Made | None:
            try:
                return action()
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):  # that is another thing
                    raise
                return None

        return self._asked(operation, key, tried)

    def _asked(self, operation: str, key: str, action: Callable[[], Made]) -> Made:
        """Do something, again after an answer that was cut off: obstore repeats other failures.

        Raises:
            KitError: what the store refuses, in the kit's words.
        """
        deadline = time.monotonic() + self._retry_s
        while True:
            try:
                return action()
            except self._errors as error:
                if "HTTP error" not in str(error) or time.monotonic() > deadline:
                    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
                    raise refusal(self.url, operation, key, str(error), endpoint) from None
            time.sleep(PAUSE_S)
