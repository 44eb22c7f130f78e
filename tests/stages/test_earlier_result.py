"""No signed result is replaced by another experiment's, another person's or another version's."""

import json
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit import __version__
from kit.errors import StorageError
from kit.result.layout import BUNDLE, ENVELOPE, RUN, SSH_SIGNATURE
from kit.signing.keys import runner_fingerprint, runner_key
from kit.signing.sshsig import sign_bytes
from kit.sources.checksum_lists import list_digest
from kit.stages.earlier_result import require_replaceable
from tests.toys.dataset import manifest


@pytest.fixture(autouse=True)
def key(tmp_path, monkeypatch):
    """This machine's key."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    assert runner_fingerprint() is None
    return runner_key()


@pytest.fixture
def experiment():
    return manifest()


@pytest.fixture
def run(experiment):
    """What an earlier result of the same experiment states."""
    sources = [{"name": s.name, "list_digest": list_digest(s)} for s in experiment.all_sources()]
    return {
        "manifest_digest": experiment.digest(),
        "sources": sources,
        "kit": {"version": __version__},
    }


def result(folder, run, key, *, signed=True):
    folder.mkdir()
    (folder / RUN).write_text(json.dumps(run), encoding="utf-8")
    if signed:
        (folder / ENVELOPE).write_bytes(b"{}")
        (folder / SSH_SIGNATURE).write_bytes(sign_bytes(b"a list", key))
    return folder


def test_ones_own_result_of_the_same_experiment_is_made_again(tmp_path, experiment, run, key):
    require_replaceable(result(tmp_path / "r", run, key), experiment)


def test_a_result_that_nobody_signed_and_a_free_place_are_no_obstacle(tmp_path, experiment, key):
    require_replaceable(result(tmp_path / "r", {"any": 1}, key, signed=False), experiment)
    require_replaceable(tmp_path / "none", experiment)


def other_manifest(run):
    run["manifest_digest"] = "0" * 64


def other_data(run):
    run["sources"][0]["list_digest"] = "0" * 64


def fewer_sources(run):
    run["sources"].pop()


def other_version(run):
    run["kit"]["version"] = "0.0.1"


def no_version(run):
    del run["kit"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (other_manifest, "another manifest"),
        (other_data, "other checksum lists"),
        (fewer_sources, "other checksum lists"),
        (other_version, "version 0.0.1 of the kit"),
        (no_version, "version None of the kit"),
        (lambda run: run.clear(), "another manifest"),
    ],
)
def test_a_result_of_something_else_is_kept(tmp_path, experiment, run, key, change, found):
    change(run)
    folder = result(tmp_path / "r", run, key)
    with pytest.raises(StorageError, match="is not replaced") as caught:
        require_replaceable(folder, experiment)
    assert found in caught.value.found
    # The remedy leads on.
    assert f"mv {folder} {folder}-kept" in caught.value.remedy
    shutil.move(folder, f"{folder}-kept")
    require_replaceable(folder, experiment)


def test_a_result_that_another_key_or_an_identity_signed_is_kept(tmp_path, experiment, run, key):
    other = Ed25519PrivateKey.generate()
    with pytest.raises(StorageError, match="another key has signed"):
        require_replaceable(result(tmp_path / "theirs", run, other), experiment)
    mine = result(tmp_path / "mine", run, key)
    (mine / BUNDLE).write_bytes(b"{}")
    with pytest.raises(StorageError, match="an identity has signed"):
        require_replaceable(mine, experiment)


@pytest.mark.parametrize("damage", [b"", b"[1]", b"\xff", b"[" * 100_000])
def test_a_signed_result_that_cannot_be_read_is_kept(tmp_path, experiment, run, key, damage):
    folder = result(tmp_path / "r", run, key)
    (folder / RUN).write_bytes(damage)
    with pytest.raises(StorageError, match=r"run\.json cannot be read"):
        require_replaceable(folder, experiment)


def test_a_result_without_a_readable_signature_is_kept(tmp_path, experiment, run, key):
    folder = result(tmp_path / "r", run, key)
    (folder / SSH_SIGNATURE).unlink()
    with pytest.raises(StorageError, match="another key has signed"):
        require_replaceable(folder, experiment)
