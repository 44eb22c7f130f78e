"""A signed result is never replaced by another experiment's, or by another person's."""

import json
from pathlib import Path
from typing import Any

from kit import __version__
from kit.errors import SignatureError, StorageError
from kit.experiment.manifest import Manifest
from kit.result.layout import BUNDLE, RUN, SIGNING_FILES, SSH_SIGNATURE
from kit.signing.keys import fingerprint, runner_fingerprint
from kit.signing.sshsig import key_of
from kit.sources.checksum_lists import has_list, list_digest


def require_replaceable(folder: Path, manifest: Manifest) -> None:
    """Check that a result may be written where `folder` is.

    A result of the same experiment that this machine's key signed is made again when code or
    renderer change. Any other signed result stays.

    Raises:
        StorageError: the folder holds a signed result that must stay.
    """
    if not any((folder / name).is_file() for name in SIGNING_FILES):
        return
    if fault := _difference(folder, manifest):
        raise StorageError(
            f"{folder} holds a signed result, which is not replaced",
            expected="no result there, or an earlier one of the same experiment, made by this "
            "version of the kit and signed by this machine's key alone",
            found=fault,
            remedy=f"move it away: mv {folder} {folder}-kept; then run the same command again: "
            "finished work is not repeated",
        )


def _difference(folder: Path, manifest: Manifest) -> str:
    """Return what makes a signed result another one than this run's, or ""."""
    run = _read_run(folder)
    if run is None:
        return f"a signed result whose {RUN} cannot be read"
    if run.get("manifest_digest") != manifest.digest():
        return "the result of another manifest"
    lists = {s.name: list_digest(s) for s in manifest.all_sources() if has_list(s)}
    if _lists_of(run) != lists:
        return "a result of data with other checksum lists"
    kit = run.get("kit")
    version = kit.get("version") if isinstance(kit, dict) else None
    if version != __version__:
        return f"a result of version {version} of the kit"
    if (folder / BUNDLE).is_file():
        return "a result that an identity has signed"
    return "" if _signer(folder) == runner_fingerprint() else "a result that another key has signed"


def _read_run(folder: Path) -> dict[str, Any] | None:
    try:
        run = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return run if isinstance(run, dict) else None


def _lists_of(run: dict[str, Any]) -> dict[str, str]:
    sources = run.get("sources")
    found = [s for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []
    return {str(s.get("name")): str(s.get("list_digest")) for s in found}


def _signer(folder: Path) -> str | None:
    try:
        return fingerprint(key_of((folder / SSH_SIGNATURE).read_bytes()))
    except (OSError, SignatureError):
        return None
