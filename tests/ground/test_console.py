"""What the kit prints: quiet, as JSON, plain, or on a terminal; each mode keeps its promise."""

import io
import json
import re
import sys
from threading import Event

import pytest

from kit import console

LINES = (("say", "one of two"), ("warn", "read the licence"), ("tell", "the answer\x1b[31m"))


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def printed(monkeypatch, capsys):
    """Print the same lines in a mode; returns (standard output, standard error)."""

    def run(mode):
        monkeypatch.setenv(console.MODE, mode)
        for name, text in LINES:
            getattr(console, name)(text)
        console.event("job", name="ga", done=1)
        console.status("half way")
        return capsys.readouterr()

    return run


def test_plain_progress_is_lines_without_escapes(printed):
    out, err = printed("")
    assert err == "one of two\nread the licence\nhalf way\n"
    assert out == "the answer\\x1b[31m\n", "what a stranger wrote acts on no terminal"


def test_quiet_keeps_answers_and_what_has_to_be_known(printed):
    out, err = printed(console.QUIET)
    assert err == "read the licence\n"
    assert out == "the answer\\x1b[31m\n"


def test_every_line_of_json_is_one_object_and_nothing_else_is_printed(printed):
    out, err = printed(console.JSON)
    assert err == ""
    assert [json.loads(line) for line in out.splitlines()] == [
        {"event": "message", "text": "one of two"},
        {"event": "message", "text": "read the licence"},
        {"event": "answer", "text": "the answer\x1b[31m"},
        {"event": "job", "name": "ga", "done": 1},
    ]
    assert "\x1b" not in out


def on_a_terminal(monkeypatch, **variables):
    """Let standard error be a terminal of 20 columns; return what it receives."""
    for name in (console.MODE, "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": "20", **variables}.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_a_terminal_shows_the_status_in_one_line_that_the_next_line_replaces(monkeypatch):
    terminal = on_a_terminal(monkeypatch)
    console.status("a status of more than twenty letters")
    assert terminal.getvalue() == "\r\x1b[K\x1b[2ma status of more th\x1b[0m"
    console.say("a line")
    assert terminal.getvalue().endswith("\r\x1b[Ka line\n")
    console.head("a stage")
    assert terminal.getvalue().endswith("\r\x1b[K\x1b[1ma stage\x1b[0m\n")


def test_a_terminal_without_colours_has_none(monkeypatch):
    terminal = on_a_terminal(monkeypatch, NO_COLOR="1")
    console.head("a stage")
    console.status("a status")
    assert terminal.getvalue() == "\r\x1b[Ka stage\n\r\x1b[Ka status"


def test_what_takes_its_time_says_so_again_and_again_until_it_ends(monkeypatch):
    monkeypatch.delenv(console.MODE, raising=False)
    said, enough = [], Event()

    def heard(text):
        said.append(text)
        if len(said) == 3:
            enough.set()

    monkeypatch.setattr(console, "say", heard)
    with console.waiting("checking", 0.001):
        assert enough.wait(60), "no line came"
    after = len(said)
    assert all(re.fullmatch(r"  checking \(\d+ s\)", line) for line in said)
    with console.waiting("checking", 3600):
        pass
    assert len(said) == after, "nothing of what is soon done"


@pytest.mark.parametrize(
    ("seconds", "words"), [(9.4, "9 s"), (599, "599 s"), (3000, "50 min"), (9000, "2.5 hours")]
)
def test_a_duration_is_as_exact_as_an_estimate(seconds, words):
    assert console.duration(seconds) == words
