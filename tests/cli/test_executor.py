"""The options that say where work is done: what goes together, and what is refused at once."""

import pytest
from click.testing import CliRunner

from kit.cli.verbs import verbs
from kit.errors import ManifestError

VERBS = ["all", "plan", "finetune", "unlearn", "evaluate", "attack", "tune"]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("words", [["--store", "s3://bucket/x"], ["--address", "a:1"]])
def test_options_of_a_cluster_need_a_cluster(verb, words):
    done = CliRunner().invoke(verbs, [verb, *words])
    assert done.exit_code == 2
    assert "it needs --executor ray" in done.output


@pytest.mark.parametrize("store", ["bucket/x", "https://host/bucket", "s3://key:word@bucket/x"])
def test_what_is_no_store_is_refused_before_a_cluster_is_asked(store):
    error = CliRunner().invoke(verbs, ["plan", "--executor", "ray", "--store", store]).exception
    assert isinstance(error, ManifestError)
    assert error.id == "PE-0207"
    assert "s3://" in str(error.remedy) or "take the key out" in str(error.remedy)
