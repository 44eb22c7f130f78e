"""Redacts paths and URLs before a result is published: no user names, folders or credentials.

A result is public. The manifest in it and the record of its sources are reduced to what another
machine can use.
"""

import os
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

from kit.artifacts import PROJECT, project_path

# Replaces every path outside the project. It is such a path itself: redacting a published manifest
# again changes nothing, so it has the same digest as the manifest that it was made from.
OUTSIDE = "/outside"


def public_path(name: str) -> str:
    """Return a path inside the project, relative to it; `OUTSIDE` for any other path."""
    # Only the text of the path counts: the target of a symbolic link stays private and changes no
    # digest.
    path = Path(os.path.normpath(project_path(name)))
    if not path.is_relative_to(PROJECT):
        return OUTSIDE
    return path.relative_to(PROJECT).as_posix() if os.path.isabs(name) else name


def public_address(url: str) -> str:
    """Return a URL without user, password, query and fragment, which may contain secrets.

    Anything but an http or https URL becomes `OUTSIDE`.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return OUTSIDE
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return OUTSIDE
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}{parts.path}"


class PrivateFields(TypedDict):
    """The fields of a source that can name a private folder or address; it has others besides."""

    checksums: str
    folder: str | None
    mirrors: list[str]


def public_source(source: PrivateFields) -> dict[str, object]:
    """Return the source of a manifest with its paths and URLs redacted."""
    folder = source["folder"]
    return {
        **source,
        "checksums": public_path(source["checksums"]),
        "folder": folder and public_path(folder),
        "mirrors": [public_address(mirror) for mirror in source["mirrors"]],
    }
