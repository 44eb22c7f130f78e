"""Which sources travel as one tar to a machine without network, and where they belong there."""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from kit.artifacts import write_bytes
from kit.digests import format_checksums, read_checksums
from kit.errors import ChecksumError, ManifestError
from kit.experiment.manifest import Manifest, SourceSection
from kit.fetch.bundle import ImportTarget
from kit.names import show
from kit.sources.checksum_lists import is_locked, list_of, local_list
from kit.sources.places import place


def exportable_sources(manifest: Manifest) -> dict[str, tuple[Path, dict[str, str]]]:
    """Return {name: (folder, checksum list)} of the downloaded sources.

    An export needs no others: every checkout can draw the embedded ones and has the project's own.

    Raises:
        ManifestError: the manifest downloads nothing, or a list does not exist.
    """
    outside = [s for s in manifest.all_sources() if s.repo or s.mirrors]
    if not outside:
        raise ManifestError(
            "there is nothing to pack: this manifest downloads nothing",
            expected="a source with `repo` or `mirrors`",
            found=", ".join(show(s.name) for s in manifest.all_sources()),
            remedy="run `./run.sh fetch MANIFEST` on the other machine: it draws what the kit "
            "draws. Copy a folder of your own, with its list in checksums/",
        )
    return {s.name: (place(s).path, read_checksums(list_of(s))) for s in outside}


def import_target(manifest: Manifest, name: str, listed: Mapping[str, str]) -> ImportTarget | None:
    """Return where an imported source belongs; None if the manifest does not download it.

    A source without a list, committed or from an earlier fetch, adopts the imported one.

    Args:
        name: of the source.
        listed: its checksum list in the import.

    Raises:
        ChecksumError: the source has a list, and the imported one differs from it.
    """
    remote = {s.name: s for s in manifest.all_sources() if s.repo or s.mirrors}
    source = remote.get(name)
    if source is None:
        return None
    if not (is_locked(source) or local_list(source).is_file()):
        return ImportTarget(place(source).path, partial(adopt_list, source, listed))
    if read_checksums(list_of(source)) != listed:
        raise ChecksumError(
            f"the imported source '{name}' does not match {list_of(source)}",
            expected="the files and digests of that list",
            found=f"a list of {len(listed)} files",
            remedy="export it from the same version of the project"
            if is_locked(source)
            else "remove that list if the imported files should replace the fetched ones",
        )
    return ImportTarget(place(source).path)


def adopt_list(source: SourceSection, digests: Mapping[str, str]) -> None:
    """Record digests as an unlocked source's list; drop images unpacked from earlier tables."""
    shutil.rmtree(place(source).images, ignore_errors=True)
    write_bytes(local_list(source), format_checksums(digests).encode())
