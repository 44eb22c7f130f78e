"""A result that an earlier version of the kit signed still verifies, with no new signature."""

from pathlib import Path

import pytest

from kit.cli.entry import main
from kit.comparison.compare import compare
from kit.result.stored import read_result
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


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_the_result_of_an_earlier_version_is_rescored(release: Path, capsys):
    main(["rescore", str(release / RESULT)])
    said = capsys.readouterr().out
    assert "rows, claims and report equal the stored ones" in said
    if release.name == "0.1.0":
        assert "but: the report's pages and the sentences in report.json are NOT VERIFIED" in said
        assert "kit 0.1.0 rendered them, and this is kit" in said


def test_results_of_two_versions_are_compared_and_what_made_them_is_told():
    first, second = (read_result(FOLDER / name / RESULT) for name in ("0.1.0", "0.2.0"))
    for ours, reference in ((first, second), (second, first)):
        found = compare(ours, reference)
        told = {d.what: d.matters for d in found.differences if d.kind == "environment"}
        assert told == {"kit_version": True, "kit_revision": False, "kit_renderer": False}
        assert {claim.depth for claim in found.claims if claim.depth} == {"answers"}
