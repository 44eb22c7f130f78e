"""A command in a message can be typed as it stands: it exists, and names what the call named."""

import pytest

from kit.cli.remedies import completed
from kit.cli.verbs import verbs

OWN = ["data", "describe", "manifests/my data.toml"]


@pytest.mark.parametrize(
    ("call", "text", "expected"),
    [
        (OWN, "run `./run.sh fetch`: it", "run `./run.sh fetch 'manifests/my data.toml'`: it"),
        (OWN, "`./run.sh lock MANIFEST`", "`./run.sh lock 'manifests/my data.toml'`"),
        (OWN, "./run.sh data describe", "./run.sh data describe 'manifests/my data.toml'"),
        (OWN, "./run.sh fetch MANIFEST --offline",
         "./run.sh fetch 'manifests/my data.toml' --offline"),
        (["fetch"], "`./run.sh lock MANIFEST`", "`./run.sh lock`"),
        (["all", "a.toml", "--offline"], "then ./run.sh sign again",
         "then ./run.sh sign a.toml again"),
        (["verify", "results/x"], "for your own run: ./run.sh sign; or",
         "for your own run: ./run.sh sign results/x; or"),
        (["verify", "results/x"], "`./run.sh fetch MANIFEST`", "`./run.sh fetch MANIFEST`"),
        (["plan", "a.toml"], "run `./run.sh calibrate b.toml --again`",
         "run `./run.sh calibrate b.toml --again`"),
        (["plan", "a.toml"], "./run.sh --runner docker", "./run.sh --runner docker"),
        (["plan", "a.toml"], "start with ./run.sh, which", "start with ./run.sh, which"),
        (["plan", "a.toml"], "./run.sh image build", "./run.sh image build"),
        (["plann", "a.toml"], "./run.sh fetch", "./run.sh fetch"),
        (["fetch", "--no-such", "a.toml"], "./run.sh fetch", "./run.sh fetch"),
        ([], "./run.sh fetch", "./run.sh fetch"),
        (["unlearn", "a.toml", "--set", "seeds=[1, 2]", "--set", "name=b"],
         "run `./run.sh finetune` first",
         "run `./run.sh finetune a.toml --set 'seeds=[1, 2]' --set name=b` first"),
        (["unlearn", "--set", "name=b"], "./run.sh finetune first, ./run.sh keygen",
         "./run.sh finetune --set name=b first, ./run.sh keygen"),
    ],
)  # fmt: skip
def test_commands_name_the_manifest_or_result_of_the_call(call, text, expected):
    assert completed(text, call, verbs) == expected
