"""The command line as its user meets it: one message, a remedy, an exit code, no traceback."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from kit import console, errors
from kit.artifacts import PROJECT
from kit.cli import entry
from kit.cli import verbs as cli
from kit.console import quieten
from kit.errors import KitError
from kit.signing.keys import public_line
from tests.toys.dataset import own_text
from tests.toys.signed_result import KEY, copy_of


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """Nothing of the machine's own cache, results or keys; nothing left behind in this process."""
    for name in ("PEBENCH_CACHE", "PEBENCH_RESULTS", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(entry, "quieten", lambda: None)


@pytest.fixture
def call(capsys):
    """Run a verb in this process; returns (exit code, what it said)."""

    def run(*arguments):
        try:
            entry.main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code or 0
        else:
            code = 0
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def smoke(tmp_path, old, new):
    """Return a manifest that starts from the small one, with one thing changed."""
    text = own_text()
    assert old in text
    path = tmp_path / "changed.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def raise_from_fetch(monkeypatch, error):
    def fail(plan, settings):
        raise error

    monkeypatch.setattr("kit.stages.run.fetch", fail)


def test_run_sh_and_the_command_line_know_the_same_verbs():
    listed = re.findall(r"^verbs\+?=' ?(.*)'$", (PROJECT / "run.sh").read_text(), re.MULTILINE)
    assert " ".join(listed).split() == list(cli.verbs.commands)


@pytest.mark.parametrize("verb", list(cli.verbs.commands))
def test_every_verb_explains_itself(call, verb):
    code, said = call(verb, "--help")
    assert code == 0
    assert f"Usage: ./run.sh {verb}" in said
    assert "--debug" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plann"], "did you mean 'plan'?"),
        (["plan", "--frobnicate"], "No such option '--frobnicate'"),
        (["plan", "one.toml", "two.toml"], "unexpected extra argument"),
        (["plan", "nothing.toml"], "nothing.toml does not exist"),
        (["plan", PROJECT], "cannot be read"),
        (["plan", PROJECT / "README.md"], "is not a TOML file"),
        (["plan", sys.executable], "is not a TOML file"),
        (["test"], "./run.sh test"),
        (["clean"], "./run.sh clean"),
        (["smoke-base", "--steps", "0"], "No such option '--steps'"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else None,
)
def test_a_wrong_call_is_a_usage_error(call, arguments, message):
    code, said = call(*arguments)
    assert code == 2
    assert message in said


def test_compare_with_three_results_names_the_verb_that_shows_many(call):
    code, said = call("compare", "one", "two", "my three", "--json")
    assert code == 2
    assert "compare takes two results, RESULT and REFERENCE; more were given: 'my three'" in said
    assert "./run.sh board one 'my three' --reference two" in said


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("warmup_steps", "warmup_stepz", "did you mean 'warmup_steps'?"),
        ('method = "npo"', 'method = "nqo"', "did you mean 'npo'?"),
        ('label = "NPO"', 'label = "NPO"\noptions = { betta = 1 }', "did you mean 'beta'?"),
        ("lora_modules = '", "lora_modules = '(", "not a regular expression"),
        ('loader = "pebench"', 'loader = "pebensh"', "did you mean 'pebench'?"),
        ("checksums/smoke.sha256", "checksums/smoke.sha", "does not exist"),
    ],
)
def test_a_manifest_that_names_what_does_not_exist_stops_every_verb(
    call, tmp_path, old, new, message
):
    for verb in ("plan", "all", "unlearn"):
        code, said = call(verb, smoke(tmp_path, old, new))
        assert code == 2
        assert message in said
    made = {path.name for path in (tmp_path / "pebench_cache").glob("*")}
    assert made <= {"data"}, "nothing was started; links to listed files are no work"


def test_exit_codes_tell_the_kinds_of_errors_apart():
    kinds = KitError.__subclasses__()
    codes = [kind.exit_code for kind in kinds]
    assert sorted(codes) == list(range(1, 18))
    assert all(f"| {code} |" in (PROJECT / "kit" / "README.md").read_text() for code in codes)


@pytest.mark.parametrize("kind", KitError.__subclasses__())
def test_an_error_of_the_kit_ends_with_its_code_and_its_remedy(call, monkeypatch, kind):
    raise_from_fetch(monkeypatch, kind("what", expected=1, found=2, remedy="do this"))
    code, said = call("fetch")
    assert code == kind.exit_code
    parts = "expected: 1", "found: 2", f"id: PE-{code:02}00", "remedy: do this"
    assert said == "".join(["error: what\n", *(f"  {part}\n" for part in parts)])


def test_a_strangers_text_in_an_error_acts_on_no_terminal(call, monkeypatch):
    raise_from_fetch(monkeypatch, KitError("a\x1b[2K\x1b[1Ab", found="c\u202ed\re"))
    code, said = call("fetch")
    assert code == 1
    assert said.isascii()
    assert not set(said) & {"\x1b", "\r"}


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(28, "No space left on device"), 7, "the disk is full"),
        (OSError(28, "No space left on device", "/cache/x"), 7, "/cache/x: the disk is full"),
        (PermissionError(13, "Permission denied", "/cache/x"), 7, "/cache/x: cannot be written"),
        (ModuleNotFoundError("no", name="vllm.engine"), 3, "vllm.engine is not installed"),
        (KeyboardInterrupt(), 130, "run the same command to resume"),
    ],
)
def test_what_the_machine_reports_becomes_a_message_too(call, monkeypatch, error, code, message):
    raise_from_fetch(monkeypatch, error)
    found, said = call("fetch")
    assert found == code
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize("before", [False, True])
def test_a_fault_that_nobody_foresaw_has_a_code_a_log_and_a_traceback_for_those_who_ask(
    call, monkeypatch, tmp_path, before
):
    raise_from_fetch(monkeypatch, KeyError("a bug"))
    code, said = call("fetch")
    assert code == errors.UnforeseenError.exit_code
    assert said.startswith("error: KeyError, which the kit does not expect here\n")
    assert "found: 'a bug' (tests/cli/test_cli.py:" in said
    assert "Traceback" not in said
    (log,) = (tmp_path / "pebench_cache" / "logs").iterdir()
    assert f"log: {log}" in said
    assert "Traceback" in log.read_text()
    code, said = call(*(["--debug", "fetch"] if before else ["fetch", "--debug"]))
    assert code == errors.UnforeseenError.exit_code
    assert said.startswith("Traceback")
    assert "raise error\nKeyError: 'a bug'" in said


def test_an_error_of_the_kit_has_its_traceback_too_for_those_who_ask(call, monkeypatch, tmp_path):
    raise_from_fetch(monkeypatch, errors.DataError("what"))
    code, said = call("fetch", "--debug")
    assert code == errors.DataError.exit_code
    assert said.startswith("Traceback")
    assert said.endswith("error: what\n  id: PE-0500\n"), "no log: the message says it all"


def test_a_log_that_cannot_be_written_hides_no_error(call, monkeypatch, tmp_path):
    raise_from_fetch(monkeypatch, KeyError("a bug"))
    monkeypatch.setattr(entry, "cache_root", lambda: tmp_path / "file" / "below")
    (tmp_path / "file").touch()
    code, said = call("fetch")
    assert code == errors.UnforeseenError.exit_code
    assert "log:" not in said


@pytest.mark.parametrize("verb", ["unlearn", "evaluate", "report"])
def test_a_stage_called_too_early_names_the_one_before(call, monkeypatch, verb):
    monkeypatch.setattr("kit.sources.datasets.verify_sources", lambda manifest: None)
    code, said = call(verb)
    assert code == errors.MissingStageError.exit_code
    assert "run `./run.sh " in said


def test_a_stage_called_before_fetch_says_so(call):
    code, said = call("finetune")
    assert code == errors.MissingStageError.exit_code
    assert "./run.sh fetch" in said


def test_a_result_is_found_by_its_folder_or_its_manifest(call, tmp_path):
    for verb in ("verify", "sign"):
        code, said = call(verb)
        assert code == 12
        assert "run `./run.sh all` first" in said
        code, said = call(verb, tmp_path / "nothing")
        assert code == 5
        assert "no result in" in said


def test_signing_what_is_no_result_writes_nothing_into_it(call, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "cat.png").touch()
    code, said = call("sign", folder)
    assert code == 12
    assert "holds no run.json" in said
    assert [path.name for path in folder.iterdir()] == ["cat.png"]
    assert call("verify", folder)[0] == 10


def test_a_signature_by_an_unknown_key_is_refused_until_it_is_trusted(call, signed, tmp_path):
    result = copy_of(signed, tmp_path)
    code, said = call("verify", result)
    assert code == 10
    assert "--trust" in said
    code, said = call("verify", result, "--trust", tmp_path / "nothing.pub")
    assert code == 10
    assert "nothing.pub cannot be read" in said


def test_a_verification_can_be_read_by_a_program(signed, tmp_path, capsys):
    key = tmp_path / "key.pub"
    key.write_text(public_line(KEY.public_key()))
    entry.main(["verify", str(signed), "--trust", str(key), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["verified"] is True
    assert found["role"] == "given key"
    assert found["rows"] > 0
    assert "only the signer vouches for that" in found["not_proven"]
    result = copy_of(signed, tmp_path)
    (result / "run.json").write_text("{}")
    with pytest.raises(SystemExit) as ended:
        entry.main(["verify", str(result), "--trust", str(key), "--json"])
    refused = json.loads(capsys.readouterr().out)
    assert (refused["verified"], refused["code"]) == (False, 1) == (False, ended.value.code)
    assert "run.json: changed after signing" in refused["found"]


def test_keygen_keeps_the_key_that_is_there(call):
    code, first = call("keygen")
    assert code == 0
    assert first.startswith("made")
    code, second = call("keygen")
    assert second.startswith("kept")
    assert first.splitlines()[1:] == second.splitlines()[1:]


def test_an_encrypted_key_signs_with_its_passphrase_from_a_file(
    call, signed, tmp_path, monkeypatch
):
    monkeypatch.delenv("PEBENCH_PASSPHRASE", raising=False)
    monkeypatch.setattr(sys, "stdin", None)
    secret, result = tmp_path / "secret", copy_of(signed, tmp_path)
    secret.write_text("correct horse battery", encoding="utf-8")
    secret.chmod(0o600)
    code, said = call("keygen", "--encrypt", "--passphrase-file", secret)
    assert code == 0
    assert said.startswith("made the encrypted runner key")
    code, said = call("sign", result)
    assert code == 10
    assert "the runner key needs a passphrase" in said
    assert call("sign", result, "--passphrase-file", secret)[0] == 0
    code, said = call("verify", result)
    assert code == 0
    assert "signed by runner (this machine's key)" in said


def test_the_doctor_fails_where_something_is_wrong_and_says_what_to_do(call, tmp_path):
    code, said = call("doctor", smoke(tmp_path, "warmup_steps", "warmup_stepz"))
    assert code == 2
    assert said.count("did you mean 'warmup_steps'?") == 1
    assert "FAIL  inputs" in said


def in_a_process(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "kit", *arguments],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_reader_that_goes_away_is_not_an_error():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "kit", "plan"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_sigterm_ends_a_run_as_ctrl_c_does():
    code = (
        "import time; from kit.cli import entry; from kit.stages import run as stages\n"
        "def wait(plan, settings): print('waiting', flush=True); time.sleep(60)\n"
        "stages.fetch = wait; entry.main(['fetch'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "waiting\n"
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip().startswith("interrupted: finished work is kept")


def test_libraries_are_silenced_unless_the_user_wants_to_hear_them(monkeypatch):
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    quieten()
    assert os.environ["VLLM_LOGGING_LEVEL"] == "DEBUG"
    assert os.environ["TQDM_DISABLE"] == "1"


def test_a_python_without_the_packages_is_told_where_to_start():
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-m", "kit", "doctor"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("error: the package click is not installed")
    assert "remedy: start with ./run.sh" in done.stderr


LONG = ("all", "fetch", "finetune", "unlearn", "evaluate", "attack", "report", "tune", "calibrate")


@pytest.mark.parametrize("verb", LONG)
def test_a_long_verb_is_quiet_or_speaks_json_but_not_both(call, verb):
    code, said = call(verb, "--quiet", "--json")
    assert code == 2
    assert "--quiet and --json cannot be combined" in said
    assert console.MODE not in os.environ, "a flag is of one call alone"


def test_as_json_an_error_is_an_object_too_and_the_message_is_on_standard_error(capsys):
    with pytest.raises(SystemExit) as ended:
        entry.main(["unlearn", "nothing.toml", "--json"])
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["event"], found["code"]) == ("error", 2) == ("error", ended.value.code)
    assert said.err.strip() == found["message"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["all", "--json", "--nonsense"], 2),
        (["verify", "--nonsense", "--json", "x"], 2),
        (["doctor", "--json", "--nonsense"], 2),
        (["show", "--json"], 2),
        (["compare", "/nowhere/at/all", "/nowhere", "--json"], 5),
        (["rescore", "/nowhere/at/all", "--json"], 5),
        (["data", "describe", "nothing.toml", "--json"], 2),
        (["verify", "/nowhere/at/all", "--json"], 5),
    ],
)
def test_with_json_every_error_is_one_object_on_standard_output(words, code, capsys):
    with pytest.raises(SystemExit) as ended:
        entry.main(words)
    found = json.loads(capsys.readouterr().out)
    assert (found["code"], ended.value.code) == (code, code)
    assert found["id"].startswith(f"PE-{code:02d}")
    assert console.MODE not in os.environ
