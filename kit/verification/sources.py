"""Hold what run.json says of its sources against the manifest in it and the project's own lists.

A checksum list pins every byte of a source. Where the manifest names a list of this project, the
digest in run.json must be that list's, or that of a former version in `checksums/former_lists`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, FailFast, StrictStr, ValidationError

from kit.artifacts import PROJECT
from kit.digests import read_checksums, sha256_bytes
from kit.errors import ChecksumError, VerificationError
from kit.experiment.disclosure import OUTSIDE
from kit.names import show
from kit.result.layout import RECORDS, RUN
from kit.result.tree import read_bytes
from kit.result.unusable import unusable
from kit.verification.contradiction import contradicts
from kit.verification.downloads import download_faults
from kit.verification.run_facts import RunFacts, SourceFacts

FORMER = "checksums/former_lists"
MAX_LIST_BYTES = 256 << 20  # a list of a million images has some 120 MB


class _Source(BaseModel):
    """A source of a manifest; what an early manifest does not state is None."""

    name: StrictStr
    checksums: StrictStr | None = None
    embedded: StrictStr | None = None
    folder: StrictStr | None = None
    repo: StrictStr | None = None
    revision: StrictStr | None = None
    licence: StrictStr | None = None
    mirrors: list[StrictStr] = []


class _Model(BaseModel):
    source: _Source


class _Manifest(BaseModel):
    sources: Annotated[list[_Source], FailFast()]
    model: _Model
    judge: _Model | None = None

    @property
    def all_sources(self) -> list[_Source]:
        judge = [self.judge.source] if self.judge else []
        return [*self.sources, self.model.source, *judge]


def check_sources(
    manifest: Mapping[str, object], facts: RunFacts, records: pd.DataFrame
) -> tuple[int, list[str]]:
    """Compare each source with the manifest and with the list of this project that it names.

    Args:
        manifest: that in run.json.
        facts: of run.json; its sources have the manifest's names, in its order.
        records: records.parquet, whose images must be listed.

    Returns:
        The number of sources whose list was compared, and a line for each other one, and for each
        that is not locked.

    Raises:
        VerificationError: a source is another than the manifest's, or its list another than this
            project's; or a record's image is not listed.
    """
    named = _manifest(manifest)
    compared, lines = 0, []
    faults: list[str] = []
    for source, told in zip(named.all_sources, facts.sources, strict=True):
        faults += _faults(source, told)
        listed, fault, line = _compare_list(source, told)
        faults += [fault] if fault else []
        lines += [line] if line else []
        if listed is not None:
            compared += 1
            faults += _unlisted_images(source.name, listed, records["image"].tolist())
    faults += _images_of_no_source([source.name for source in named.sources], records["image"])
    if faults:
        raise contradicts(
            f"the sources of {RUN} are not those of its manifest and of this project",
            "origin, licence and list as the manifest names them; the digest of the committed list",
            faults,
        )
    return compared, lines


def _manifest(resolved: Mapping[str, object]) -> _Manifest:
    try:
        return _Manifest.model_validate(resolved)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unusable(RUN, f"manifest.{place}: {first['msg']}") from None


def _faults(source: _Source, told: SourceFacts) -> Iterator[str]:
    """Yield what run.json says of a source against its manifest."""
    pairs: dict[str, tuple[Any, Any]] = {"repo": (told.repo, source.repo)}
    if source.revision is not None:
        pairs["revision"] = (told.revision, source.revision)
    if source.licence is not None and told.licence is not None:
        pairs["licence"] = (told.licence, source.licence)
    if source.checksums is not None and told.checksums is not None:
        pairs["checksums"] = (told.checksums, source.checksums)
    if source.embedded:
        pairs["origin"] = (told.origin, "drawn by the kit")
    elif source.folder:
        own = f"folder {source.folder}"
        pairs["origin"] = (told.origin, "a folder of the user" if source.folder == OUTSIDE else own)
    if source.repo or source.mirrors:
        yield from download_faults(told)
    elif source.embedded or source.folder:
        pairs["hosts"] = (told.hosts, {})
        pairs["licence_accepted"] = (told.licence_accepted, None)
    for name, (said, right) in pairs.items():
        if said != right:
            yield f"{source.name}: {name} is {said!r}, not {right!r}"
    if (source.embedded or source.folder) and not told.locked:
        yield f"{source.name}: it is not locked, but only a download can be used without a list"


def _compare_list(source: _Source, told: SourceFacts) -> tuple[Mapping[str, str] | None, str, str]:
    """Return (the list if it was compared, a fault or "", what was not compared or "")."""
    name = show(source.name)
    if not told.locked:
        return None, "", f"source {name} is NOT locked: the run itself listed what it found"
    data = _own_list(source.checksums)
    if data is None:
        which = show(source.checksums or "the list")
        return None, "", f"source {name}: {which} is not in this project and was not compared"
    digest = sha256_bytes(data)
    if told.list_digest == digest:
        return _parsed(source.checksums or ""), "", ""
    if told.list_digest in _former(source.checksums or ""):
        return None, "", f"source {name}: its list is a former version of {source.checksums}"
    fault = (
        f"{source.name}: list_digest is {told.list_digest}, but {source.checksums} of this project "
        f"has {digest}"
    )
    return None, fault, ""


def _own_list(checksums: str | None) -> bytes | None:
    """Return the bytes of a list of this project, or None where it has none of that name."""
    if checksums is None or not _is_inside(checksums):
        return None
    path = PROJECT / checksums
    return read_bytes(path, max_bytes=MAX_LIST_BYTES) if path.is_file() else None


def _is_inside(name: str) -> bool:
    """Say whether a path of a manifest names a file below the project, by its text alone."""
    parts = PurePosixPath(name).parts
    inside = bool(parts) and not _is_absolute(name) and ".." not in parts and name.isprintable()
    return inside and not any(
        (PROJECT / Path(*parts[:n])).is_symlink() for n in range(1, len(parts))
    )


def _is_absolute(name: str) -> bool:
    """Return whether a path starts at a root or a drive, of any system."""
    return PurePosixPath(name).is_absolute() or bool(PureWindowsPath(name).anchor)


def _parsed(checksums: str) -> Mapping[str, str]:
    try:
        return read_checksums(PROJECT / checksums)
    except ChecksumError as error:
        raise VerificationError(
            f"{checksums} of this project cannot be read",
            expected=error.expected,
            found=error.what,
            remedy=error.remedy,
        ) from error


def _former(checksums: str) -> set[str]:
    """Return the digests of former versions of a list: `DIGEST  PATH`, one line each."""
    path = PROJECT / FORMER
    if not path.is_file():
        return set()
    lines = (line.split("  ", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return {line[0] for line in lines if len(line) == 2 and line[1] == checksums}


def _unlisted_images(name: str, listed: Mapping[str, str], images: Sequence[str]) -> Iterator[str]:
    prefix = f"{name}/"
    for image in dict.fromkeys(images):
        if image.startswith(prefix) and image.removeprefix(prefix) not in listed:
            yield f"{RECORDS}: the image {image[:200]} is not in the list of {name}"


def _images_of_no_source(names: Sequence[str], images: Iterable[str]) -> Iterator[str]:
    for image in dict.fromkeys(images):
        if image and image.partition("/")[0].removesuffix(".images") not in names:
            yield f"{RECORDS}: the image {image[:200]} is in no source"
