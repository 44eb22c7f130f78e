"""The files that a manifest may name: those in the project and those next to the manifest.

A manifest may come from a stranger. It must not make the kit read a private file, a device or a
pipe, and the kit must not print any line of such a file.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from kit.artifacts import PROJECT, project_path
from kit.errors import ManifestError
from kit.experiment.inputs import SourceSection
from kit.experiment.manifest import Manifest
from kit.names import show
from kit.texts import decode_text

MAX_MANIFEST_BYTES = 1 << 20  # the largest of manifests/ has some 20 kB


def require_near(manifest: Manifest, path: Path) -> None:
    """Check that a manifest from a file names only files of the project or beside itself.

    Args:
        manifest: what was read.
        path: of its file.

    Raises:
        ManifestError: a file or folder that it names is elsewhere, by the text of its path.
    """
    roots = [PROJECT]
    beside = Path(os.path.abspath(path)).parent
    roots += [beside] if beside != Path(beside.anchor) else []
    for key, place, name in _named(manifest):
        there = Path(os.path.normpath(project_path(name)))
        if not any(there.is_relative_to(root) for root in roots):
            raise ManifestError(
                f"{manifest.origin_of(key)}: {place} is outside the project",
                expected=f"a path below {PROJECT} or below the manifest's own folder",
                found=show(name),
                remedy="move the manifest next to its data, or the data into the project (a "
                "symbolic link there will do)",
            )


def source_places(manifest: Manifest) -> Iterator[tuple[str, SourceSection]]:
    """Yield every source with the key of the manifest that it is written under."""
    for number, source in enumerate(manifest.sources):
        yield f"sources.{number}", source
    yield "model.source", manifest.model.source
    if manifest.judge is not None:
        yield "judge.source", manifest.judge.source


def _named(manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """Yield the key, its name in an error, and the path, of all files that a manifest names."""
    for place, source in source_places(manifest):
        yield f"{place}.checksums", f"`checksums` of source '{source.name}'", source.checksums
        if source.folder:
            yield f"{place}.folder", f"`folder` of source '{source.name}'", source.folder
    if manifest.split.ids:
        yield "split.ids", "`split.ids`", manifest.split.ids
    if manifest.evaluation.metric_file:
        key = "evaluation.metric_file"
        yield key, f"`{key}`", manifest.evaluation.metric_file


def read_manifest_text(path: Path) -> str:
    """Return the text of a manifest file; a device or a pipe is refused before it is opened.

    Raises:
        ManifestError: it is no regular file of at most 1 MiB.
        NotText: it is in an encoding that cannot be told, or no text.
        OSError: it cannot be read.
    """
    state = path.stat()
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(21, "Is a directory", str(path))
    if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_MANIFEST_BYTES:
        raise ManifestError(
            f"{path} is no manifest",
            expected=f"a regular file of at most {MAX_MANIFEST_BYTES} bytes",
            found=f"{state.st_size} bytes"
            if stat.S_ISREG(state.st_mode)
            else "a device, pipe or socket",
            remedy="name a file of manifests/, or a copy of one",
        )
    return decode_text(path.read_bytes())
