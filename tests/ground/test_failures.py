"""What libraries and the system raise becomes one error of the kit, with place and remedy."""

import errno
import pickle
import re

import pytest
from PIL import UnidentifiedImageError
from pyarrow import ArrowInvalid, ArrowMemoryError

from kit.digests import sha256_value
from kit.errors import EnvironmentFault, ManifestError, StorageError, UnforeseenError
from kit.failures import at, kit_error


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


@pytest.mark.parametrize(
    ("error", "kind", "what"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), StorageError, "the disk is full"),
        (OSError(errno.EDQUOT, "quota", "/cache/x"), StorageError, "/cache/x: the disk is full"),
        (RuntimeError("write failed: os error 28"), StorageError, "the disk is full"),
        (PermissionError(errno.EACCES, "no", "/cache/x"), StorageError, "cannot be written"),
        (OSError(errno.EMFILE, "Too many open files", "/x"), EnvironmentFault, "too many files"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), EnvironmentFault, "not enough memory"),
        (MemoryError(), EnvironmentFault, "not enough memory"),
        (ArrowMemoryError("malloc of 9 TB"), EnvironmentFault, "not enough memory"),
        (OutOfMemoryError("CUDA out of memory. Tried"), EnvironmentFault, "not enough memory"),
        (RuntimeError("CUDA error: out of memory"), EnvironmentFault, "not enough memory"),
        (ModuleNotFoundError("no", name="av.video"), EnvironmentFault, "av.video is not installed"),
        (ModuleNotFoundError("no", name="kit.x"), UnforeseenError, "ModuleNotFoundError"),
        (ArrowInvalid("Parquet magic bytes not found"), UnforeseenError, "ArrowInvalid"),
        (UnidentifiedImageError("cannot identify"), UnforeseenError, "UnidentifiedImageError"),
        (TypeError("unsupported operand"), UnforeseenError, "TypeError"),
        (RuntimeError("Engine core initialization failed"), UnforeseenError, "RuntimeError"),
        (SystemExit(3), UnforeseenError, "a file has ended the whole process"),
        (RecursionError("maximum depth"), UnforeseenError, "RecursionError"),
    ],
    ids=repr,
)
def test_every_failure_has_a_kind_its_place_and_a_remedy(error, kind, what):
    found = kit_error(error, "unlearn, job person-npo-s1")
    assert type(found) is kind
    assert found.what.startswith("unlearn, job person-npo-s1: ")
    assert what in found.what
    assert found.remedy
    assert type(error).__name__ in found.traceback
    assert pickle.loads(pickle.dumps(found)).traceback == found.traceback


def test_an_error_of_the_kit_stays_as_it_is():
    error = ManifestError("what", remedy="do this")
    assert kit_error(error, "somewhere") is error
    assert error.traceback is None


def test_places_are_told_from_the_outside_to_the_inside():
    with pytest.raises(ValueError, match="bad") as caught, at("step 3"), at("record r7"):
        raise ValueError("bad")
    assert kit_error(caught.value, "unlearn").what.startswith("unlearn, step 3, record r7: Value")
    assert kit_error(caught.value).what.startswith("step 3, record r7: Value")


def test_a_fault_within_a_library_names_its_line_and_the_line_of_the_kit():
    with pytest.raises(ValueError, match="JSON") as caught:
        sha256_value({"a": float("nan")})
    assert re.search(
        r"\(encoder\.py:\d+, called by kit/digests\.py:\d+\)$", kit_error(caught.value).found
    )
