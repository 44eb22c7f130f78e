"""Which folder a user means by a result: a path, or the manifest that it was made from."""

from pathlib import Path

from kit.artifacts import results_root
from kit.errors import DataError, MissingStageError
from kit.manifest_file import load_manifest


def find_result(given: str) -> Path:
    """Return the result folder that is meant.

    Raises:
        DataError: neither a folder nor a manifest.
        ManifestError: the manifest cannot be read.
        MissingStageError: nothing has been made from this manifest.
    """
    path = Path(given)
    if path.is_dir():
        return path
    if path.suffix != ".toml":
        raise DataError(
            f"no result in {given}",
            expected="a result folder, or the manifest it was made from",
            remedy="./run.sh all makes one",
        )
    folder = results_root() / load_manifest(path).run_name
    if not folder.is_dir():
        raise MissingStageError(
            f"there is no result of {given} yet",
            expected=str(folder),
            remedy="run `./run.sh all` first",
        )
    return folder
