"""Write tensors to disk: whole or not at all, with a clear error where the disk is full."""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from kit.artifacts import storage_error


def save_weights(
    tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file under a temporary name and rename it.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with as_storage_errors(path):
        save_file(dict(tensors), temporary, metadata=metadata)
        os.replace(temporary, path)


@contextmanager
def as_storage_errors(path: Path) -> Iterator[None]:
    """Turn a failure to write below `path`, also one of safetensors, into a StorageError.

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    try:
        yield
    except SafetensorError as error:
        found = re.search(r"\(os error (\d+)\)", str(error))
        number = int(found[1]) if found else errno.EIO
        raise storage_error(OSError(number, os.strerror(number)), path) from None
    except OSError as error:
        raise storage_error(error, path) from None
