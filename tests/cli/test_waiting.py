"""A verb that checks a result says that it still works, and `--json` stays one object."""

import json
import time

import pytest
from click.testing import CliRunner

from kit.cli import board, claims, report, signatures
from kit.cli.verbs import verbs
from kit.result import stored
from kit.signing.keys import public_line
from tests.toys.signed_result import KEY


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Let a line come at once instead of after `CHECK_SECONDS`."""
    for module in (board, claims, report, signatures):
        assert module.CHECK_SECONDS == 8
        monkeypatch.setattr(module, "CHECK_SECONDS", 0.01)

    def read_slowly(*arguments, read=stored.read_result, **options):
        time.sleep(0.1)  # a toy is read before the first line could come
        return read(*arguments, **options)

    monkeypatch.setattr(stored, "read_result", read_slowly)


def call(*words):
    return CliRunner().invoke(verbs, [str(word) for word in words])


@pytest.fixture
def trust(tmp_path):
    key = tmp_path / "key.pub"
    key.write_text(public_line(KEY.public_key()))
    return ["--trust", key]


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("verify", "verifying "),
        ("rescore", "recomputing "),
        ("compare", "recomputing and comparing"),
    ],
)
def test_a_check_says_that_it_still_works(signed, trust, verb, said, form):
    results = [signed] * (2 if verb == "compare" else 1)
    done = call(verb, *results, *(trust if verb == "verify" else []), *form)
    assert any(line.startswith(f"  {said}") for line in done.stderr.splitlines()), done.stderr
    if form:
        assert isinstance(json.loads(done.stdout), dict), "and nothing but the answer"
    else:
        assert f"  {said}" not in done.stdout


def test_new_pages_say_so_while_the_result_is_verified(signed, trust, tmp_path):
    done = call("report", signed, "--to", tmp_path / "pages", *trust)
    assert done.exit_code == 0, done.stderr
    assert f"  verifying {signed} (" in done.stderr


def test_a_board_says_so_while_it_checks_each_result(signed, trust, tmp_path):
    done = call("board", signed, "--reference", signed, "--to", tmp_path / "b.html", *trust)
    assert "  still checking (" in done.stderr
