"""Which folder a user means by a result: a path, or the manifest that it was made from."""

from pathlib import Path

from kit.artifacts import results_root
from kit.errors import DataError, MissingStageError, VerificationError
from kit.experiment.manifest_file import load_manifest


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


def require_made_from(given: str, digest: str) -> None:
    """Check that a result that was named by its manifest was made from it, and is no other one.

    Raises:
        VerificationError: the folder holds a good result of another manifest.
    """
    path = Path(given)
    if path.is_dir() or load_manifest(path).digest() == digest:
        return
    raise VerificationError(
        f"the result in the folder of {given} is one of another manifest",
        expected=f"manifest digest {load_manifest(path).digest()}",
        found=digest,
        remedy="whole results can be exchanged: get the one of this manifest",
    )
