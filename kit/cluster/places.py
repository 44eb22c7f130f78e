"""Where the artifacts of a cluster live: in a folder that all machines share, or in a store.

Each machine works in a cache of its own folder system, and a place carries finished work from one
to the other. With a shared folder there is one cache, and nothing to carry.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kit.artifacts import cache_root
from kit.cluster.shared_folder import SharedFolder

RETRY_S = 180.0  # for one request to a store that fails on its way, or there
CHECK_S = 20.0  # the same before the first piece of work


class Place(Protocol):
    """Where artifacts live, as a driver and as the supervisor of an interpreter see it.

    A name is the path of an artifact or of data below the cache.
    """

    root: Path
    """The cache of this machine."""
    where: str
    """What `opened` opens it by, on another machine."""
    word: str
    """What messages call it."""
    remedy: str
    """What to do where a node does not find it."""
    apart: bool
    """Whether each machine has a cache of its own."""

    def check(self) -> list[str]:
        """Return lines about a place that can be read and written.

        Raises:
            KitError: it cannot.
        """
        ...

    def write_note(self) -> str:
        """Write a note, which every node has to find; return its name."""
        ...

    def read_note(self, note: str) -> str:
        """Return what a note says.

        Raises:
            KitError, OSError: it cannot be read.
        """
        ...

    def remove_note(self, note: str) -> None:
        """Remove a note."""
        ...

    def lend(self, names: Iterable[str]) -> dict[str, str]:
        """Make sure that a node can `bring` what this machine has; return {name: digest}."""
        ...

    def bring(self, wanted: Mapping[str, str]) -> None:
        """Bring what others have made to this machine; {name: digest}.

        Raises:
            KitError: it is missing, or damaged.
        """
        ...

    def find(self, names: Iterable[str]) -> None:
        """Bring what has been published of these names."""
        ...

    def give(self, names: Iterable[str]) -> dict[str, str]:
        """Publish what this machine has made; the first wins. Return {name: digest} of that."""
        ...

    def sign(self, token: str, node: str) -> None:
        """Show that the supervisor of an interpreter lives; it is called every second.

        Raises:
            OSError: it cannot be shown at the moment.
        """
        ...

    def end(self, token: str) -> None:
        """Stop showing it."""
        ...

    def heard(self, token: str) -> tuple[str, float] | None:
        """Return an interpreter's node, and the time of its supervisor's last sign of life."""
        ...

    def close(self, tokens: Sequence[str]) -> None:
        """Remove the signs of these interpreters."""
        ...


def chosen(store: str | None) -> Place:
    """Return the place that a driver uses: the store of `--store`, or else its own cache folder.

    Raises:
        KitError: the address is not one, or the store cannot be opened.
    """
    if store is None:
        return SharedFolder(cache_root())
    from kit.cluster.object_store import ObjectStore

    return ObjectStore(store, cache_root(), own=True)


def opened(where: str, retry_s: float = RETRY_S) -> Place:
    """Return the place that a driver named, on a node.

    Args:
        where: the path of a shared folder, or the address of an object store.
        retry_s: for how many seconds a request to a store is repeated that fails on its way.

    Raises:
        KitError: it cannot be opened.
    """
    if "://" not in where:
        return SharedFolder(Path(where))
    from kit.cluster.object_store import ObjectStore

    return ObjectStore(where, cache_root(), retry_s=retry_s)
