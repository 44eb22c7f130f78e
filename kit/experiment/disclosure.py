"""What may stand in a result of addresses and folders: nothing that names a person or opens a door.

A result is published; the manifest in it, and the record of where its bytes came from, are cut to
what another machine could use.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kit.artifacts import PROJECT, project_path

# Stands for every path outside the project. It is such a path itself, so that a published
# manifest has the digest of the one that it was made of.
OUTSIDE = "/outside"


def public_path(name: str) -> str:
    """Return a path of the project, relative to it; any other one is this machine's own affair."""
    # By its letters alone: where a link of the project leads is not said, and changes no digest.
    path = Path(os.path.normpath(project_path(name)))
    if not path.is_relative_to(PROJECT):
        return OUTSIDE
    return path.relative_to(PROJECT).as_posix() if os.path.isabs(name) else name


def public_address(url: str) -> str:
    """Return an address without user, password, query and fragment, which can hold secrets."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return OUTSIDE
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return OUTSIDE
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}{parts.path}"


def public_source(source: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest's source as a result may show it."""
    folder = source["folder"]
    return {
        **source,
        "checksums": public_path(source["checksums"]),
        "folder": folder and public_path(folder),
        "mirrors": [public_address(mirror) for mirror in source["mirrors"]],
    }
