"""The objects of a store, by key, through obstore. The only module that imports it.

obstore is in Ray's environment: workers of Ray have it, and the driver borrows it from there. It
reads the standard variables of AWS (`AWS_ACCESS_KEY_ID` and others, `AWS_ENDPOINT_URL`), and asks
again after a failure of the server or of the network, for a bounded time.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from kit.cluster.places import RETRY_S
from kit.cluster.refusals import refusal
from kit.cluster.site import packages_of_ray
from kit.errors import ManifestError

REQUEST_S = 120.0  # for one answer, or one part of an object
PART = 16 << 20  # bytes that are moved in one request
SCHEMES = ("s3", "file")


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
            "--store holds more than an address",
            expected="s3://BUCKET/PREFIX; keys belong into AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY",
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
        with self._named("open", ""):
            self._store = obstore.store.from_url(self.url, **options)

    def named(self, key: str) -> str:
        """Return an object's address."""
        return f"{self.url}/{key}"

    def read(self, key: str) -> bytes | None:
        """Return the bytes of a small object; None if there is none."""
        with self._named("read", key):
            try:
                return bytes(self._obstore.get(self._store, key).bytes())
            except FileNotFoundError as error:
                _require_bucket(error)
                return None

    def size(self, key: str) -> int | None:
        """Return the number of bytes of an object; None if there is none."""
        with self._named("look at", key):
            try:
                return int(self._obstore.head(self._store, key)["size"])
            except FileNotFoundError as error:
                _require_bucket(error)
                return None

    def parts(self, key: str, size: int) -> Iterator[bytes]:
        """Yield the bytes of an object of a known size, in parts of at most 16 MiB."""
        for start in range(0, size, PART):
            with self._named("read", key):
                length = min(PART, size - start)
                part = self._obstore.get_range(self._store, key, start=start, length=length)
            yield bytes(part)

    def write(self, key: str, data: bytes | Path) -> None:
        """Write an object, whatever is there; readers see the old one or the whole new one."""
        with self._named("write", key):
            self._obstore.put(self._store, key, data, chunk_size=PART)

    def write_new(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one; return whether there was none.

        False also where an answer was lost on its way and the request was repeated: whoever asks
        compares what is there.
        """
        with self._named("write", key):
            try:
                self._obstore.put(self._store, key, data, mode="create", use_multipart=False)
            except self._obstore.exceptions.AlreadyExistsError:
                return False
            return True

    def list(self, prefix: str) -> list[Listed]:
        """Return all objects whose key begins with a prefix and a slash."""
        with self._named("list", prefix):
            return [
                Listed(str(each["path"]), each["last_modified"].timestamp())
                for some in self._obstore.list(self._store, prefix)
                for each in some
            ]

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; one that is not there is no error."""
        for key in keys:
            with self._named("delete", key):
                try:
                    self._obstore.delete(self._store, key)
                except FileNotFoundError as error:
                    _require_bucket(error)

    @contextmanager
    def _named(self, operation: str, key: str) -> Iterator[None]:
        """Say in the kit's words what the store refuses; a library's may hold the key's name."""
        try:
            yield
        except self._errors as error:
            endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
            raise refusal(self.url, operation, key, str(error), endpoint) from None


def _require_bucket(error: FileNotFoundError) -> None:
    """Raise the error again if it is the bucket that is missing, not an object."""
    if "NoSuchBucket" in str(error):
        raise error
