"""The terms of an experiment's data: licences, the record of consent, and the origin of files."""

import json

import pytest

from kit.artifacts import project_path
from kit.errors import LicenceError, ModelError
from kit.fetch.licences import accepted_path
from kit.model.families import family_in
from kit.sources import datasets
from kit.sources.places import source_records
from tests.hub.faults import Fault
from tests.hub.fetching import ACCEPTED, OFFLINE, QUICK, bring, commit_list, content, source, write

pytest_plugins = ["tests.hub.fixtures"]

WEIGHTS = {"config.json": b"{}", "model.safetensors": b"weights"}


@pytest.fixture
def terminal(monkeypatch):
    """A person at the terminal; a test sets the answer."""
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def answers(value):
        monkeypatch.setattr("click.confirm", lambda *a, **k: asked.append(a) or value)
        return asked

    return answers


def test_a_licence_is_shown_and_nothing_is_fetched_without_consent(
    hub, experiment, no_terminal, capsys, tmp_path
):
    commit_list(tmp_path)
    with pytest.raises(LicenceError, match="MIT") as caught:
        bring(experiment(), QUICK)
    assert caught.value.exit_code == 13
    assert "--accept-licences" in str(caught.value)
    assert "owner/toy" in capsys.readouterr().err
    assert hub.requests == []
    assert not accepted_path().exists()


def test_consent_is_recorded_and_not_asked_for_again(hub, experiment, terminal, capsys, tmp_path):
    commit_list(tmp_path)
    asked = terminal(True)
    bring(experiment(), QUICK)
    assert len(asked) == 1
    capsys.readouterr()
    bring(experiment(), QUICK)
    assert len(asked) == 1
    assert "licence" not in capsys.readouterr().err
    (entry,) = json.loads(accepted_path().read_text()).values()
    assert entry["licence"] == "MIT"
    assert entry["accepted"].endswith("+00:00")
    (record,) = [r for r in source_records(experiment()) if r["name"] == "toy"]
    assert record["licence_accepted"] == entry


def test_a_no_is_a_no(hub, experiment, terminal, tmp_path):
    commit_list(tmp_path)
    terminal(False)
    with pytest.raises(LicenceError):
        bring(experiment(), QUICK)
    assert hub.requests == []


@pytest.mark.parametrize("change", [{"licence": "CC BY 4.0"}, {"revision": "f" * 40}])
def test_other_terms_or_another_revision_are_asked_for_again(
    hub, experiment, no_terminal, tmp_path, change
):
    commit_list(tmp_path)
    bring(experiment(), ACCEPTED)
    with pytest.raises(LicenceError):
        bring(experiment(**change), QUICK)


def test_a_source_without_a_licence_says_so(hub, experiment, no_terminal, tmp_path):
    commit_list(tmp_path)
    with pytest.raises(LicenceError, match="none stated"):
        bring(experiment(licence=""), QUICK)


def test_what_the_kit_draws_or_the_user_has_needs_no_consent(
    hub, experiment, no_terminal, tmp_path
):
    commit_list(tmp_path)
    write(tmp_path / "own")
    own = experiment(repo=None, revision=None, folder=str(tmp_path / "own"))
    assert bring(own, QUICK) == 0
    assert hub.requests == []


def test_a_record_says_which_hosts_gave_the_files(hub, experiment, tmp_path):
    commit_list(tmp_path)
    mirrored = experiment(mirrors=(hub.mirror,))
    hub.spoil("README.md", Fault(status=404))
    bring(mirrored, ACCEPTED)
    (record,) = [r for r in source_records(mirrored) if r["name"] == "toy"]
    assert record["hosts"] == {hub.url: 2, hub.mirror: 1}
    assert record["locked"] is True
    assert record["revision"] == mirrored.sources[0].revision


@pytest.fixture
def with_base(experiment, hub, tmp_path):
    """An experiment whose base model is a repository on the hub."""
    hub.add("owner/base", WEIGHTS)
    (tmp_path / "base").mkdir()
    commit_list(tmp_path / "base", WEIGHTS)
    commit_list(tmp_path)
    base = source(tmp_path / "base", name="base", repo="owner/base", repo_type="model")
    made = experiment()
    return made.model_copy(update={"model": made.model.model_copy(update={"source": base})})


def test_the_base_model_is_a_source_like_the_others(hub, with_base):
    assert bring(with_base, ACCEPTED) == 2
    assert content(datasets.base_folder(with_base)) == WEIGHTS
    datasets.verify_sources(with_base)
    (record,) = [r for r in source_records(with_base) if r["name"] == "base"]
    assert record["hosts"] == {hub.url: 2}


def test_a_base_model_that_is_missing_is_an_error_of_the_model(hub, with_base):
    with pytest.raises(ModelError, match=r"data import"):
        bring(with_base, OFFLINE)
    with pytest.raises(ModelError, match=r"is missing") as caught:
        datasets.verify_base(with_base)
    assert "./run.sh fetch" in str(caught.value)


def test_an_unsupported_base_is_refused_by_its_config_before_its_weights_and_the_data(
    hub, with_base
):
    """mllama has no implementation in vLLM: its config.json is all that is downloaded."""
    config = b'{"model_type": "mllama"}'
    hub.add("owner/base", {**WEIGHTS, "config.json": config})
    source = with_base.model.source
    commit_list(project_path(source.checksums).parent, {**WEIGHTS, "config.json": config})
    with pytest.raises(ModelError, match="family mllama"):
        datasets.fetch(with_base, print, ACCEPTED, examine=family_in)
    assert content(datasets.base_folder(with_base)) == {"config.json": config}
    assert not datasets.places(with_base)["toy"].path.exists()
    assert datasets.fetch(with_base, print, ACCEPTED) == 2
