"""The scaffold of a manifest: it extends another one, and can be planned at once."""

import json
import tomllib
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT
from kit.errors import ManifestError, unknown
from kit.names import show
from kit.scaffolds.files import Scaffold, filled
from kit.scaffolds.names import require_name
from kit.scaffolds.pages import Row

FOLDER = PROJECT / "manifests"


def manifest_scaffold(given: str, base: str) -> Scaffold:
    """Return the file of a new manifest.

    Args:
        given: its name.
        base: the manifest that it extends: a file of manifests/, with or without its folder.

    Raises:
        ManifestError: the name is none or is taken; or there is no such base, or the base extends
            another manifest itself.
    """
    known = sorted(path.name for path in FOLDER.glob("*.toml"))
    name = require_name("manifest", given)
    file = base.removeprefix("manifests/")
    file = file if file.endswith(".toml") else f"{file}.toml"
    if file not in known:
        what = f"there is no manifest manifests/{show(file)[:80]} to extend"
        raise unknown(what, file, known, remedy="name a file of manifests/")
    document = _read(FOLDER / file)
    if "extends" in document:
        raise ManifestError(
            f"manifests/{file} extends {document['extends']}: it cannot be extended itself",
            expected="a manifest that extends no other",
            found=f'extends = "{document["extends"]}"',
            remedy=f"./run.sh new manifest {name.name} --extends {document['extends']}",
        )
    manifest = f"manifests/{name.name}.toml"
    targets = json.dumps(document["targets"][:1])
    return Scaffold(
        files={manifest: filled("manifest.toml", name, base=file, targets=targets)},
        rows=(
            Row(
                "manifests/README.md",
                "| manifest | what it is |",
                f"| `{name.name}.toml` | `{file}` with changes of your own | as `{file}` |",
                like=file,
            ),
        ),
        next=(
            f"It is {file} without claims until you change it.",
            f"  ./run.sh plan {manifest}",
            f"  ./run.sh all {manifest}",
            "manifests/README.md explains every key.",
        ),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, UnicodeDecodeError, of int
        raise ManifestError(
            f"{path} is not a TOML file",
            expected="TOML in UTF-8",
            found=error,
            remedy=f"./run.sh plan manifests/{path.name} says more",
        ) from None
