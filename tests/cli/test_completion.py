"""Shells complete verbs, options, manifests and results of ./run.sh: driven through a terminal."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from kit.artifacts import PROJECT

PATIENCE_SECONDS = 60.0  # for one key on a busy machine
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], [
        "bind 'set bell-style none'; bind 'set show-all-if-ambiguous on'",
        "bind 'set page-completions off'; bind 'set completion-query-items 0'",
        "bind 'set enable-bracketed-paste off'",
    ]),
    "zsh": (["zsh", "-d", "-i"], [
        "bindkey -e; autoload -Uz compinit; compinit -u -D; unsetopt beep",
    ]),
}  # fmt: skip


class Shell:
    """An interactive shell in a terminal of its own."""

    def __init__(self, name, folder, script):
        command, settings = START[name]
        self.child, self.terminal = pty.fork()
        if not self.child:
            os.chdir(folder)
            os.environ |= {"TERM": "dumb", "PS1": "", "HISTFILE": "", "ZDOTDIR": str(script.parent)}
            os.execvp(command[0], command)
        for line in [*settings, f"source {script}"]:
            self.words(line, prefix="")

    def words(self, typed, keys="", prefix="printf '<%s>' "):
        """Return the words of a line, as the shell reads them, after keys pressed at its end."""
        self._send(f"{typed}{keys}")
        # At the beginning of the line: a command that prints what follows instead of running it.
        self._send(f"\x01{prefix}\x05; echo; echo END''OF''LINE\n")
        shown = self._read_until("ENDOFLINE")
        return re.findall(r"<(.*?)>", shown.replace("\r", "").split("\n")[-3] if prefix else "")

    def _send(self, text):
        os.write(self.terminal, text.encode())

    def _read_until(self, mark):
        found, end = b"", time.monotonic() + PATIENCE_SECONDS
        while f"\n{mark}\r\n".encode() not in found:
            ready = select.select([self.terminal], [], [], max(0.0, end - time.monotonic()))[0]
            assert ready, found.decode(errors="replace")
            found += os.read(self.terminal, 65536)
        return found.decode(errors="replace").split(f"\n{mark}\r\n")[0] + f"\n{mark}\n"

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.child, 0)


RUN = PROJECT / "run.sh"


def script_of(shell):
    """Return what the verb prints, with nothing but Bash and the usual tools on the PATH."""
    done = subprocess.run(
        [RUN, "completion", shell], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def offered(*words, folder=PROJECT):
    """Return what is offered in place of the last word."""
    done = subprocess.run(
        [PROJECT / "docker/complete.sh", *words], cwd=folder, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder outside of the project, with a manifest, a result, and another program run.sh."""
    root = tmp_path_factory.mktemp("elsewhere")
    (root / "my runs" / "one").mkdir(parents=True)
    (root / "my runs" / "one" / "run.json").write_text("{}")
    (root / "my runs" / "mine.toml").write_text("")
    (root / "kit-of-mine").mkdir()
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "kit.sh").symlink_to(RUN)
    return root


@pytest.fixture(params=["bash", "zsh"])
def shell(request, folder, tmp_path):
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    script = tmp_path / "completion"
    script.write_text(script_of(request.param), encoding="utf-8")
    opened = Shell(request.param, folder, script)
    yield opened
    opened.close()


def test_a_shell_completes_what_is_typed(shell):
    for typed, last in (
        ("pla", "plan"),
        ("data des", "describe"),
        ("new ben", "benchmark"),
        ("plan --emit=sl", "--emit=slurm"),
        ("plan --emit k", "k8s"),
        ("--runner pod", "podman"),
        ("try-method simn", "simnpo"),
        ("all --set unlearn.learning_r", "unlearn.learning_rate="),
        ("plan manifests/smoke-f", "manifests/smoke-full.toml"),  # of the project
        ("plan my\\ runs/m", "my runs/mine.toml"),
        ("verify my\\ runs/o", "my runs/one"),
        ("compare my\\ runs/one my\\ runs/o", "my runs/one"),
        ("completion f", "fish"),
    ):
        assert shell.words(f"{RUN} {typed}", "\t")[-1] == last, typed


def test_a_program_of_another_project_with_the_same_name_gets_files(shell):
    (_, word) = shell.words("./run.sh kit-of", "\t")
    assert word.rstrip("/") == "kit-of-mine"


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_what_is_typed(folder, tmp_path):
    script = tmp_path / "completion.fish"
    script.write_text(script_of("fish"), encoding="utf-8")

    def completed(line):
        command = ["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [each.partition("\t")[0] for each in done.stdout.splitlines()]

    assert completed(f"{RUN} pla") == ["plan"]
    assert completed(f"{RUN} plan --emit=sl") == ["--emit=slurm"]
    assert completed(f"{RUN} plan manifests/smoke-f") == ["manifests/smoke-full.toml"]
    assert completed("./run.sh pla") == []


def test_what_is_offered_follows_from_the_words_before():
    assert offered("plan", "--emit", "") == ["slurm", "k8s", "sky"]
    assert offered("plan", "--offline", "--emit=s") == ["--emit=slurm", "--emit=sky"]
    assert offered("new", "") == ["method", "benchmark", "manifest"]
    assert offered("compare", "one", "two", "") == [], "two results, and no third"
    assert offered("all", "data", "d") == [], "the second word is a manifest"
    assert offered("plan", "--price", "") == [], "a number"
    assert offered("keygen", "--") == [
        "--debug", "--encrypt", "--force", "--help", "--passphrase-file",
    ]  # fmt: skip
    assert "grad_ascent" in offered("try-method", "")
    assert "registry" not in offered("try-method", "")
    assert "hashing" in offered("bench", "")


def test_manifests_and_results_are_told_from_other_files(folder):
    smoke = offered("plan", "manifests/smoke")
    assert "manifests/smoke.toml" in smoke
    assert all(name.endswith(".toml") for name in smoke)
    assert "pyproject.toml" not in offered("plan", "")
    assert offered("verify", "my runs/", folder=folder)[:2] == ["my runs/mine.toml", "my runs/one"]
    assert offered("plan", "my runs/", folder=folder)[:2] == ["my runs/mine.toml", "my runs/one/"]
    assert "my runs/mine.toml" in offered("keygen", "--passphrase-file", "my runs/", folder=folder)


def test_a_project_whose_path_is_odd_is_completed_as_well(tmp_path):
    odd = tmp_path / "o'dd $HOME & more"
    (odd / "docker").mkdir(parents=True)
    shutil.copy(RUN, odd)
    for path in (PROJECT / "docker").glob("*"):
        if path.is_file():
            shutil.copy(path, odd / "docker")
    done = subprocess.run([odd / "run.sh", "completion", "bash"], capture_output=True, text=True)
    script = tmp_path / "completion"
    script.write_text(done.stdout, encoding="utf-8")
    opened = Shell("bash", odd, script)
    assert opened.words("./run.sh pla", "\t") == ["./run.sh", "plan"]
    opened.close()


@pytest.mark.parametrize("words", [[], ["ksh"], ["bash", "zsh"], ["../kit"]])
def test_a_shell_that_is_not_known_is_refused_with_a_remedy(words):
    done = subprocess.run([RUN, "completion", *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert "expected: bash, zsh or fish" in done.stderr
    assert "remedy: ./run.sh completion bash" in done.stderr
