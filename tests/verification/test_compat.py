"""A result that an earlier version of the kit signed still verifies, with no new signature."""

from pathlib import Path

import pytest

from kit.signing.trust import GIVEN, trusted_keys
from kit.verification.verify import verify
from tests.compat import FOLDER, PUBLIC, RESULT

RELEASES = sorted(path for path in FOLDER.iterdir() if (path / RESULT).is_dir())


def test_the_first_version_is_among_them():
    assert "0.1.0" in {release.name for release in RELEASES}


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_the_result_of_an_earlier_version_verifies(release: Path):
    found = verify(release / RESULT, trusted=trusted_keys(release / PUBLIC))
    assert found.role == GIVEN
    assert found.rows > 0
    assert len(found.claims) > 0
