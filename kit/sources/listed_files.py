"""A folder that holds the listed files of a source and nothing else: loaders read it.

A folder of a user, and even one of the cache, may hold more than its list names: shards that a
download left, copies of a notebook, files of the system beside those of a person. A loader that
looks into such a folder, and libraries that look for optional files, would take them for data. So
each source gets a folder of links, one for each listed file.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

# What systems, synchronisers and notebooks write beside files. Hidden names come in addition.
SIDECARS = frozenset({"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir", "icon\r"})


def is_sidecar(name: str) -> bool:
    """Return whether a path is of a hidden file or folder, or of one that a system wrote."""
    return any(part.startswith(".") or part.casefold() in SIDECARS for part in name.split("/"))


def link_listed(folder: Path, listed: Collection[str], links: Path) -> None:
    """Make `links` a folder of links to those listed files that exist, and of nothing else.

    Sidecars are left out, listed or not: they are no data.

    Args:
        folder: of the source's files.
        listed: names of files below it.
        links: the folder to write; one that is right already is kept.

    Raises:
        OSError: it cannot be written.
    """
    wanted = {
        name: str(folder.absolute() / name)
        for name in listed
        if not is_sidecar(name) and (folder / name).is_file()
    }
    if links.is_dir() and dict(_links(links)) == wanted:
        return
    partial = links.with_name(f"{links.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, target in wanted.items():
        (partial / name).parent.mkdir(parents=True, exist_ok=True)
        (partial / name).symlink_to(target)
    shutil.rmtree(links, ignore_errors=True)
    os.replace(partial, links)


def unlisted_files(folder: Path, listed: Collection[str]) -> list[str]:
    """Return the files in a folder that its list does not name, sorted; sidecars are left out."""
    found = []
    for above, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_sidecar(name)]
        start = Path(above).relative_to(folder)
        found += [(start / name).as_posix() for name in files if not is_sidecar(name)]
    return sorted(set(found) - set(listed))


def _links(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, target) of every file and link below a folder; a file of its own has ""."""
    for above, folders, files in os.walk(folder):
        # A linked folder is not walked into; a loader would look into it.
        for name in [*files, *(each for each in folders if Path(above, each).is_symlink())]:
            path = Path(above, name)
            yield (
                path.relative_to(folder).as_posix(),
                os.readlink(path) if path.is_symlink() else "",
            )
