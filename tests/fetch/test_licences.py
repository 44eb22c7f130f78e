"""The record of accepted licences: what was accepted, when and how, and damage to the record."""

import json

import pytest

from kit.errors import LicenceError
from kit.fetch.licences import acceptance, accepted_path, describe_terms, require_accepted
from kit.fetch.settings import Settings
from tests.hub.fetching import source

ASKING, FLAG = Settings(), Settings(accept_licences=True)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A temporary cache, no hub address, and no terminal to ask on."""
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)


@pytest.fixture
def some(tmp_path):
    """Two sources on the hub and one on a mirror."""
    return [
        source(tmp_path, name="first"),
        source(tmp_path, name="second", repo="owner/other", licence="CC BY 4.0"),
        source(tmp_path, name="third", repo=None, mirrors=("http://mirror.invalid/x",), licence=""),
    ]


def test_all_that_wait_are_named_at_once(some):
    with pytest.raises(LicenceError) as caught:
        require_accepted(some, ASKING)
    for part in ("owner/toy", "MIT", "owner/other", "CC BY 4.0", "mirror.invalid", "none stated"):
        assert part in str(caught.value)
    assert caught.value.exit_code == 13
    assert not accepted_path().exists()


def test_the_flag_is_recorded_with_its_moment_and_is_needed_once(some, capsys):
    require_accepted(some, FLAG)
    assert len(capsys.readouterr().err.splitlines()) == 3
    before = accepted_path().read_bytes()
    require_accepted(some, ASKING)
    assert accepted_path().read_bytes() == before
    assert capsys.readouterr().err == ""
    for wanted in some:
        found = acceptance(wanted)
        assert (found["licence"], found["how"]) == (wanted.licence, "--accept-licences")


def test_only_what_is_new_is_shown_and_the_old_stays_recorded(some, capsys):
    require_accepted(some[:1], FLAG)
    capsys.readouterr()
    with pytest.raises(LicenceError) as caught:
        require_accepted(some, ASKING)
    assert "owner/toy" not in str(caught.value)
    assert "owner/toy" not in capsys.readouterr().err
    require_accepted(some, FLAG)
    assert len(json.loads(accepted_path().read_text())) == 3


def test_a_source_that_is_not_from_outside_has_nothing_to_accept(tmp_path):
    own = source(tmp_path, repo=None, revision=None, folder=str(tmp_path))
    require_accepted([own], ASKING)
    assert acceptance(own) is None


def test_a_source_without_a_licence_says_what_that_means(some):
    assert "no licence from its publisher" in describe_terms(some[2])
    assert "no licence from its publisher" not in describe_terms(some[0])


def test_a_damaged_record_is_not_taken_for_consent(some):
    require_accepted(some, FLAG)
    accepted_path().write_text(accepted_path().read_text()[:-9])
    with pytest.raises(LicenceError, match="damaged") as caught:
        require_accepted(some, ASKING)
    assert "remove it" in str(caught.value)
