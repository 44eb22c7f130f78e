"""Locking writes a checksum list of exactly the files that arrived, or leaves the old list."""

import subprocess
from dataclasses import replace

import pytest

from kit.digests import read_checksums
from kit.errors import (
    AccessError,
    ChecksumError,
    KitError,
    LicenceError,
    ManifestError,
    TransferError,
)
from kit.fetch.sources import fetch_listed
from kit.sources.locking import check, lock
from kit.sources.places import place
from tests.hub.faults import OTHER_REVISION, REVISION, Fault
from tests.hub.fetching import (
    ACCEPTED,
    FILES,
    LARGEST,
    QUICK,
    commit_list,
    content,
    digests,
    source,
    write,
)
from tests.toys.dataset import manifest

pytest_plugins = ["tests.hub.fixtures"]


def test_a_list_is_written_that_sha256sum_understands(hub, experiment, said, tmp_path):
    lock(experiment(), ACCEPTED, said.append)
    assert read_checksums(tmp_path / "toy.sha256") == digests(FILES)
    where = place(experiment().sources[0]).path
    command = ["sha256sum", "-c", "--strict", str(tmp_path / "toy.sha256")]
    assert subprocess.run(command, cwd=where, capture_output=True).returncode == 0
    assert "3 files" in said[0]


def test_locked_files_are_not_downloaded_again(hub, experiment, said, tmp_path):
    lock(experiment(), ACCEPTED, said.append)
    hub.heal()
    wanted = experiment().sources[0]
    listed = read_checksums(tmp_path / "toy.sha256")
    assert fetch_listed(wanted, place(wanted).path, listed, QUICK).downloaded == 0
    assert hub.sent == 0


def test_a_second_lock_leaves_one_copy_of_the_files(hub, experiment, said, tmp_path):
    lock(experiment(), ACCEPTED, said.append)
    where = place(experiment().sources[0]).path
    (where / "README.md").write_bytes(b"damaged since")
    lock(experiment(), ACCEPTED, said.append)
    assert [path for path in where.parent.iterdir() if path.is_dir()] == [where]
    assert content(where) == FILES


def test_an_unpinned_source_is_resolved_and_the_line_for_the_manifest_is_printed(
    hub, experiment, said, tmp_path
):
    lock(experiment(revision=None), ACCEPTED, said.append)
    assert any(f'revision = "{REVISION}"' in line for line in said)
    assert read_checksums(tmp_path / "toy.sha256") == digests(FILES)
    # The pinned revision must not change when the head moves.
    assert not [path for _, path, _ in hub.requests if "/main/" in path]
    hub.heal()
    pinned = experiment().sources[0]
    where = place(pinned).path
    assert fetch_listed(pinned, where, digests(FILES), QUICK).downloaded == 0


@pytest.mark.parametrize("name", list(FILES))
def test_bytes_that_the_hubs_own_digest_denies_are_not_listed(
    hub, experiment, said, tmp_path, name
):
    hub.spoil(name, Fault(flip=True))
    commit_list(tmp_path, {"before": b"x"})
    before = (tmp_path / "toy.sha256").read_bytes()
    with pytest.raises(ChecksumError) as caught:
        lock(experiment(), ACCEPTED, said.append)
    assert name in str(caught.value)
    assert (tmp_path / "toy.sha256").read_bytes() == before
    assert said == []


def test_a_digest_in_the_metadata_that_no_byte_has_is_an_error(hub, experiment, said, tmp_path):
    hub.repos["owner/toy"].told[LARGEST] = {"sha256": "0" * 64}
    with pytest.raises(ChecksumError, match="0000"):
        lock(experiment(), ACCEPTED, said.append)
    assert not (tmp_path / "toy.sha256").exists()


def test_a_revision_that_does_not_exist_is_an_error(hub, experiment, said, tmp_path):
    with pytest.raises(KitError, match=OTHER_REVISION):
        lock(experiment(revision=OTHER_REVISION), ACCEPTED, said.append)
    assert not (tmp_path / "toy.sha256").exists()


def test_nothing_is_downloaded_before_the_licence_is_accepted(hub, experiment, said, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(LicenceError, match="MIT"):
        lock(experiment(), QUICK, said.append)
    assert hub.requests == []


def test_a_gated_source_names_its_page(hub, experiment, said):
    hub.repos["owner/toy"].token = "hf_secret"
    with pytest.raises(AccessError, match="datasets/owner/toy"):
        lock(experiment(), ACCEPTED, said.append)


def test_a_source_that_is_not_from_a_hub_cannot_be_locked(hub, said):
    with pytest.raises(ManifestError, match="no source"):
        lock(manifest(), ACCEPTED, said.append)


def test_one_source_can_be_chosen_and_a_misspelt_one_is_named(hub, experiment, said, tmp_path):
    hub.add("owner/base", {"model.safetensors": b"weights"})
    base = source(tmp_path, name="base", repo="owner/base", repo_type="model",
                  checksums=str(tmp_path / "base.sha256"))  # fmt: skip
    both = experiment()
    both = both.model_copy(update={"model": both.model.model_copy(update={"source": base})})
    lock(both, ACCEPTED, said.append, only="base")
    assert read_checksums(tmp_path / "base.sha256") == digests({"model.safetensors": b"weights"})
    assert not (tmp_path / "toy.sha256").exists()
    with pytest.raises(ManifestError, match="bass") as caught:
        lock(both, ACCEPTED, said.append, only="bass")
    assert "toy, base" in str(caught.value)


def test_a_check_downloads_no_file(hub, experiment, said, tmp_path):
    commit_list(tmp_path)
    check(experiment(), said.append)
    assert hub.sent == 0
    assert said[0] == "lock: toy: 3 files agree, 2 of them by digest"
    assert "NOT compared" in said[1]
    assert all(text in said[1] for text in ("NOT compared", "./run.sh fetch", "\n    README.md"))


def test_a_check_compares_files_that_are_not_in_lfs_by_what_was_fetched(
    hub, experiment, said, tmp_path
):
    commit_list(tmp_path)
    where = place(experiment().sources[0]).path
    write(where, FILES)
    check(experiment(), said.append)
    assert said == ["lock: toy: 3 files agree, 3 of them by digest"]
    hub.repos["owner/toy"].files["README.md"] = b"what that is\n"
    with pytest.raises(ChecksumError, match=r"README\.md is another file"):
        check(experiment(), said.append)
    (where / "README.md").write_bytes(b"what that is\n")
    said.clear()
    check(experiment(), said.append)
    assert "README.md" in said[1], "bytes that are not the listed ones say nothing of the list"


@pytest.mark.parametrize(
    "fault",
    [Fault(status=429, headers={"Retry-After": "0"}), Fault(status=503), Fault(cut=0),
     Fault(stall=30)],
    ids="429 503 cut stalled".split(),
)  # fmt: skip
@pytest.mark.parametrize("answer", ["api:head", "api:tree"])
def test_a_hub_that_fails_twice_is_asked_again(hub, experiment, said, tmp_path, fault, answer):
    hub.spoil(answer, replace(fault, times=2))
    lock(experiment(revision=None), ACCEPTED, said.append)
    assert read_checksums(tmp_path / "toy.sha256") == digests(FILES)


def test_a_hub_that_keeps_failing_is_asked_as_often_as_any_host(hub, experiment, said):
    hub.spoil("api:head", Fault(status=503))
    with pytest.raises(TransferError, match="HTTP 503"):
        lock(experiment(revision=None), ACCEPTED, said.append)
    assert len([path for _, path, _ in hub.requests if path.startswith("/api")]) == 3
    hub.heal()
    hub.spoil("api:head", Fault(status=403))
    with pytest.raises(AccessError):
        lock(experiment(revision=None), ACCEPTED, said.append)
    assert len(hub.requests) == 1, "a closed door does not open by knocking"


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ({**FILES, LARGEST: b"other"}, f"{LARGEST} has another digest"),
        ({**FILES, "more.bin": b"x"}, "more.bin is not in the repository"),
        ({k: v for k, v in FILES.items() if k != "README.md"}, "README.md is not listed"),
    ],
)
def test_a_check_names_what_differs(hub, experiment, said, tmp_path, listed, found):
    commit_list(tmp_path, listed)
    with pytest.raises(ChecksumError) as caught:
        check(experiment(), said.append)
    assert found in str(caught.value)
    assert "remedy" in str(caught.value)


def test_a_check_of_what_is_not_locked_is_an_error(hub, experiment, said, tmp_path):
    with pytest.raises(ManifestError, match="not locked"):
        check(experiment(), said.append)
    commit_list(tmp_path)
    with pytest.raises(ManifestError, match="no revision") as caught:
        check(experiment(revision=None), said.append)
    assert REVISION in str(caught.value), "the commit to pin"


def test_a_lock_after_a_killed_one_leaves_nothing_of_another_revision(
    hub, experiment, said, tmp_path
):
    """The unpinned head moved: a file that it no longer has must not be among the data."""
    hub.spoil(LARGEST, Fault(status=404))
    with pytest.raises(KitError):
        lock(experiment(revision=None), ACCEPTED, said.append)
    hub.heal()
    now = {"README.md": b"what this was\n"[:13], LARGEST: FILES[LARGEST]}
    hub.add("owner/toy", now)
    lock(experiment(revision=None), ACCEPTED, said.append)
    assert content(place(experiment().sources[0]).path) == now
