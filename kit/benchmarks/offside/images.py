"""Which file of the source an entry of OFFSIDE means.

Entries name a path of their author's machine, such as `./finetune_set/364.jpg`. The released code
takes the path itself, otherwise its last part. The kept images and their altered forms in the test
set may have equal last parts, so here the file is taken whose path agrees with most parts from the
end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kit.benchmarks.cells import is_missing, text
from kit.benchmarks.left_out import OddCell

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


@dataclass(frozen=True)
class Shown:
    """An image: its name (the file's, or its path where another file has this name too), the file,
    and the path as it was given."""

    name: str
    file: Path
    given: str


class Images:
    """The image files of a source."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._named: dict[str, list[Path]] = {}
        for path in sorted(root.rglob("*")):
            if path.suffix.casefold() in SUFFIXES and path.is_file():
                self._named.setdefault(path.name, []).append(path)

    def find(self, cells: Iterable[object], where: str) -> Shown:
        """Return the image that the first filled cell names: a path, or a list of one path.

        Raises:
            OddCell: all cells are empty, or it names no image of the source, or several.
        """
        cell = next((cell for cell in cells if cell is not None and not is_missing(cell)), None)
        if isinstance(cell, list) and len(cell) == 1:
            cell = cell[0]
        given = text(cell, where, "images")
        wanted = _parts(given)
        alike = self._named.get(wanted[-1] if wanted else "", [])
        agree = [_common(wanted, path.relative_to(self._root).parts) for path in alike]
        found = [path for path, parts in zip(alike, agree, strict=True) if parts == max(agree)]
        if len(found) != 1:
            problem = "names several images" if found else "names no image of the source"
            raise OddCell(where, "images", problem, expected="one image file", found=given)
        name = found[0].name if len(alike) == 1 else found[0].relative_to(self._root).as_posix()
        return Shown(name, found[0], "/".join(wanted))


def _parts(given: str) -> tuple[str, ...]:
    return PurePosixPath(given.replace("\\", "/")).parts


def _common(wanted: tuple[str, ...], parts: tuple[str, ...]) -> int:
    """Return how many parts are equal, from the end."""
    count = 0
    for one, other in zip(reversed(wanted), reversed(parts), strict=False):
        if one != other:
            break
        count += 1
    return count
