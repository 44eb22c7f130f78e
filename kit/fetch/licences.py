"""Licences are shown once, before the first byte, and their acceptance is recorded."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from kit.artifacts import cache_root, write_json
from kit.console import warn
from kit.errors import LicenceError, StorageError
from kit.experiment.disclosure import public_address
from kit.experiment.manifest import SourceSection
from kit.fetch.hub import hub_page
from kit.fetch.settings import Settings
from kit.state_files import damaged, read_object

NONE_STATED = "none stated"


def accepted_path() -> Path:
    """Return the file that records the licences accepted on this machine."""
    return cache_root() / "licences.json"


def acceptance(source: SourceSection) -> dict[str, str] | None:
    """Return when and how a source's licence was accepted; None if it was not, or need not be."""
    if not (source.repo or source.mirrors):
        return None
    return _read().get(_key(source))


def require_accepted(sources: Sequence[SourceSection], settings: Settings) -> None:
    """Show the licences that were not accepted on this machine yet, and ask.

    Raises:
        LicenceError: they were not accepted, or there is no terminal to ask on.
    """
    known = _read()
    waiting = [s for s in sources if (s.repo or s.mirrors) and _key(s) not in known]
    if not waiting:
        return
    for source in waiting:
        warn(f"licence: {describe_terms(source)}")
    if settings.accept_licences:
        how = "--accept-licences"
    elif sys.stdin.isatty():
        if not click.confirm("Do you accept these terms?", default=False, err=True):
            raise LicenceError(
                "the licences were not accepted; nothing was fetched",
                expected="yes: these terms bind everyone who uses the files",
                found="no",
                remedy="to accept them, run the same command again and answer y; for a run "
                "without files of others, take manifests/smoke.toml",
            )
        how = "asked on a terminal"
    else:
        raise LicenceError(
            "these licences must be accepted before anything is fetched",
            expected="; ".join(describe_terms(source) for source in waiting),
            found="no --accept-licences, and no terminal to ask on",
            remedy="read them, then add --accept-licences",
        )
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    new = {_key(s): {"licence": s.licence, "accepted": moment, "how": how} for s in waiting}
    write_json(accepted_path(), {**known, **new})


def describe_terms(source: SourceSection) -> str:
    """Return one line on a source's terms."""
    where = hub_page(source) if source.repo else public_address(source.mirrors[0])
    licence = source.licence or NONE_STATED
    if licence == NONE_STATED:
        licence += " (no licence from its publisher: use it as its page allows, do not pass it on)"
    return f"{source.name}: {where}: {licence}"


def _key(source: SourceSection) -> str:
    return f"{source.repo or source.mirrors[0]}@{source.revision or 'head'}: {source.licence}"


def _read() -> dict[str, dict[str, str]]:
    path = accepted_path()
    if not path.is_file():
        return {}
    try:
        known = read_object(path)
        if odd := [key for key, accepted in known.items() if not _is_acceptance(accepted)]:
            raise damaged(path, f"the acceptance of {odd[0]} is {known[odd[0]]!r:.80}")
    except StorageError as error:
        raise LicenceError(
            error.what,
            expected=error.expected,
            found=error.found,
            remedy="remove it; the licences will be shown again",
        ) from None
    return known


def _is_acceptance(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
