"""How several adapters of a result are merged: the file names the method that the manifest has."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from kit.result.merging import Merger, parse_merger
from kit.verification.signed_file import read_signed
from kit.verification.training import Asked


def merger_of(results: Path, path: str, digests: Mapping[str, str]) -> Merger | str:
    """Return what a file of a result says, or `FILE: why it says nothing`.

    Args:
        results: the folder of the result.
        path: of the file, in the result.
        digests: {path in the result: SHA-256} of all signed files.

    Raises:
        VerificationError: the file changed while it was verified.
    """
    if path not in digests:
        return f"{path}: it is missing"
    try:
        return parse_merger(read_signed(results, path, digests))
    except ValueError as error:
        return f"{path}: {error}"


def merger_faults(
    path: str, merger: Merger, manifest: Mapping[str, object], entry: str
) -> Iterator[str]:
    """Yield `FILE: what is wrong` where a file is not of the manifest's method.

    Options that the manifest leaves out have the defaults of the method's file, which are not read.

    Args:
        entry: the manifest's name of the method.
    """
    methods = manifest["methods"]
    assert isinstance(methods, list), "kit.verification.planned has read it"
    section = next(each for each in methods if each["name"] == entry)
    if merger.method != section["method"]:
        yield f"{path}: method is {merger.method[:100]!r}, not {section['method']!r}"
    given = section.get("options")
    for name, value in (given if isinstance(given, dict) else {}).items():
        if merger.options.get(name) != value:
            found = str(merger.options.get(name))[:100]
            yield f"{path}: option {name[:100]!r} is {found!r}, not {str(value)[:100]!r}"


def side_by_side(asked: Asked, count: int) -> Asked:
    """Return what is asked of `count` adapters in one file: their ranks and alphas add up."""
    section = asked.section
    sums = {
        "rank": None if section.rank is None else count * section.rank,
        "alpha": None if section.alpha is None else count * section.alpha,
    }
    return dataclasses.replace(asked, section=section.model_copy(update=sums))
