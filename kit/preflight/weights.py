"""Weight files of a base: whole, complete, of a number format to train with, and finite.

A safetensors file is the length of its header (8 bytes, little-endian), the header as JSON, and the
tensors without gaps (https://github.com/huggingface/safetensors, "Format"). A file that was cut off
is therefore shorter than its header says.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from kit.errors import ModelError
from kit.model.file_kinds import RESTORE, require_own_kind
from kit.names import listed

INDEX = "model.safetensors.index.json"
ALONE = "model.safetensors"  # the only weight file that is read without an index
LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000  # safetensors' own limit
FLOATS = {"F64", "F32", "F16", "BF16"}


@dataclass(frozen=True)
class Weights:
    """The weight files of a base: their number, size in bytes, and values by number format."""

    files: int
    bytes: int
    dtypes: dict[str, int]
    """Name of a number format, such as `BF16` -> how many values have it."""

    @property
    def values(self) -> int:
        """The number of weights."""
        return sum(self.dtypes.values())

    @property
    def in_float32(self) -> bool:
        """Whether most weights take four bytes: the base then needs twice the disk of 16 bits."""
        return self.dtypes.get("F32", 0) * 2 > self.values

    def describe(self) -> str:
        """Return one line for a report."""
        kinds = " and ".join(sorted(self.dtypes))
        files = "1 file" if self.files == 1 else f"{self.files} files"
        return f"{files}, {self.bytes / 1e9:.2f} GB, {self.values:,} values in {kinds}"


def read_weights(folder: Path) -> Weights:
    """Read the headers of all weight files in a folder and check that nothing is missing.

    Raises:
        ModelError: there are none; one is a git-lfs pointer, no safetensors file or cut off; or the
            index and the files do not name the same tensors.
    """
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise ModelError(
            f"no weights in {folder}",
            expected="files named *.safetensors",
            found=listed(sorted(path.name for path in folder.glob("*"))) or "no files",
            remedy="add '*.safetensors' to `files` of [model.source]; bases in other formats have "
            "to be converted first",
        )
    tensors = {path.name: _read_header(path) for path in paths}
    _require_index(folder, tensors)
    dtypes: Counter[str] = Counter()
    for held in tensors.values():
        for dtype, count in held.values():
            dtypes[dtype] += count
    return Weights(len(paths), sum(path.stat().st_size for path in paths), dict(dtypes))


def _read_header(path: Path) -> dict[str, tuple[str, int]]:
    """Return {tensor: (number format, number of values)} of one file."""
    require_own_kind(path)
    size = path.stat().st_size
    with path.open("rb") as stream:
        begin = stream.read(LENGTH_BYTES)
        length = int.from_bytes(begin, "little")
        header = stream.read(length) if length <= MAX_HEADER_BYTES else b""
    try:
        if len(begin) < LENGTH_BYTES or len(header) < length:
            raise ValueError("the header is not whole")
        entries = {name: entry for name, entry in json.loads(header).items() if name[:2] != "__"}
        ends = [int(entry["data_offsets"][1]) for entry in entries.values()]
        held = {n: (str(e["dtype"]), _values(e["shape"])) for n, e in entries.items()}
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ModelError(
            f"{path} is not a safetensors file",
            expected="the length of a header, the header as JSON, and the tensors",
            found=f"{str(error)[:200]}; it begins with {begin!r}",
            remedy=RESTORE,
        ) from None
    whole = LENGTH_BYTES + length + max(ends, default=0)
    if size != whole:
        raise ModelError(
            f"{path} is {'cut off' if size < whole else 'longer than its header says'}",
            expected=f"{whole} bytes, as its header says",
            found=f"{size} bytes",
            remedy=RESTORE,
        )
    if wrong := sorted(
        n for n, (dtype, _) in held.items() if _is_matrix(n) and dtype not in FLOATS
    ):
        raise ModelError(
            f"{path} holds quantised weights",
            expected=f"weights in one of {', '.join(sorted(FLOATS))}",
            found=f"{wrong[0]} in {held[wrong[0]][0]}, and {len(wrong) - 1} others",
            remedy="choose the checkpoint that this one was quantised from",
        )
    return held


def _is_matrix(name: str) -> bool:
    return name.endswith(".weight")  # old checkpoints also hold positions, as whole numbers


def require_finite(folder: Path) -> int:
    """Read all weights of a folder, one tensor at a time, check them and return their number.

    Raises:
        ModelError: one is NaN or infinite, or most matrices hold nothing but zeros.
    """
    zero: list[str] = []
    values = matrices = 0
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as stream:
            for name in sorted(stream.keys()):
                tensor = stream.get_tensor(name)
                if not bool(torch.isfinite(tensor).all()):
                    raise ModelError(
                        f"{path}: the weight {name} is not finite",
                        expected="finite numbers",
                        found=f"{int((~torch.isfinite(tensor)).sum())} of {tensor.numel()} values "
                        "are NaN or infinite",
                        remedy="the checkpoint itself is damaged: use another revision of it",
                    )
                values += tensor.numel()
                if tensor.dim() > 1:
                    matrices += 1
                    zero += [] if bool(tensor.any()) else [name]
    if len(zero) * 2 > matrices:
        raise ModelError(
            f"the weights in {folder} are empty",
            expected="trained weights",
            found=f"{len(zero)} of {matrices} matrices hold only zeros, such as {zero[0]}",
            remedy="the checkpoint was never filled: use another revision of it",
        )
    return values


def _values(shape: list[int]) -> int:
    count = 1
    for size in shape:
        count *= int(size)
    return count


def _require_index(folder: Path, tensors: dict[str, dict[str, tuple[str, int]]]) -> None:
    """Compare the index, where there is one, with the tensors that the files hold."""
    path = folder / INDEX
    if not path.is_file():
        _require_alone(folder, list(tensors))
        return
    try:
        places = dict(json.loads(path.read_text(encoding="utf-8"))["weight_map"])
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"{path} is not an index of weights",
            expected='a JSON object with "weight_map", which names the file of each tensor',
            found=str(error)[:200],
            remedy=RESTORE,
        ) from None
    if missing := sorted(set(places.values()) - set(tensors)):
        raise ModelError(
            f"weights of {folder} are missing",
            expected=", ".join(missing),
            found=", ".join(tensors),
            remedy="run `./run.sh fetch`, with '*.safetensors' in `files` of [model.source]",
        )
    if more := sorted(name for name in set(tensors) - set(places.values()) if tensors[name]):
        raise ModelError(
            f"{folder} has weight files that its index does not name",
            expected=f"the files of {INDEX}, and no other *.safetensors",
            found=", ".join(more),
            remedy=_leave_out(more),
        )
    held = {name: file for file, names in tensors.items() for name in names}
    if wrong := sorted(n for n in {*places, *held} if places.get(n) != held.get(n)):
        raise ModelError(
            f"the index and the weight files of {folder} differ in {len(wrong)} tensors",
            expected=f"{wrong[0]} in {places.get(wrong[0], 'no file')}, as the index says",
            found=f"it is in {held.get(wrong[0], 'no file')}",
            remedy="they are of different versions: remove them and run `./run.sh fetch`",
        )


def _require_alone(folder: Path, files: list[str]) -> None:
    """Check the weight files of a folder without an index: transformers reads one file alone."""
    if files == [ALONE]:
        return
    more = [name for name in files if name != ALONE]
    if ALONE in files:
        raise ModelError(
            f"{folder} has weight files beside {ALONE}, and no index",
            expected=f"{ALONE} alone, or all files of an index",
            found=", ".join(more),
            remedy=_leave_out(more),
        )
    raise ModelError(
        f"{folder} has {len(files)} weight files and no index"
        if len(files) > 1
        else f"the weights in {folder} have a name under which they are not read",
        expected=f"{INDEX}, which names the file of each tensor, or {ALONE}",
        found=listed(files),
        remedy=f"add '{INDEX}' to `files` of [model.source]; a single file of another name has to "
        f"be called {ALONE} in a copy that [model.source] names as `folder`",
    )


def _leave_out(files: list[str]) -> str:
    return (
        f"leave {', '.join(files)} out of `files` of [model.source] (name the others), then run "
        "`./run.sh lock MANIFEST`: a copy in another form or precision is not read. If they are no "
        "copy, the index is of another version: fetch both from one revision"
    )
