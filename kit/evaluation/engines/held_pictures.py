"""The decoded pictures of the requests that an engine has now, and names by which it knows them.

Several systems are asked about the same pictures, one after the other. Each picture is decoded
once, as long as its file keeps its bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from kit.digests import sha256_bytes
from kit.pictures.decoding import open_image


@dataclass(frozen=True)
class HeldPicture:
    """A picture, and the SHA-256 of its file: equal names are equal pictures."""

    name: str
    image: Image.Image


class HeldPictures:
    """Holds the pictures of one portion of requests, and keeps those that the next one has too."""

    def __init__(self) -> None:
        self._held: dict[Path, HeldPicture] = {}

    def hold(self, paths: Iterable[Path]) -> dict[Path, HeldPicture]:
        """Return each picture by its path.

        Raises:
            DataError: a file is missing, or is no picture.
        """
        before = {held.name: held for held in self._held.values()}
        self._held = {path: _held(path, before) for path in dict.fromkeys(paths)}
        return self._held


def _held(path: Path, before: dict[str, HeldPicture]) -> HeldPicture:
    try:
        name = sha256_bytes(path.read_bytes())
    except OSError:
        name = ""  # to open it says why
    return before.get(name) or HeldPicture(name, open_image(path))
