"""Fixtures of more than one test module."""

from pathlib import Path

import pytest

from kit.signing import sign
from tests.signed_result import KEY, copy_of, write_result


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed result; never to be changed."""
    result = write_result(tmp_path_factory.mktemp("signed") / "tiny")
    sign(result, key=KEY)
    return result


@pytest.fixture
def damaged(signed: Path, tmp_path: Path) -> Path:
    """A copy of the signed result that a test may damage."""
    return copy_of(signed, tmp_path)
