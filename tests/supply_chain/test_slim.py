"""A reviewer's laptop: any system, a stock Python, no Bash; one file is enough."""

import os
import re
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import pytest

from kit.artifacts import PROJECT
from kit.signing.keys import public_line
from kit.supply_chain import one_file, slim, slim_build, slim_locks
from kit.supply_chain.merged_lock import marker_of, merge, read_pins, with_hashes
from kit.supply_chain.slim_install import progress_of
from kit.verification import memory_limit
from tests.toys.signed_result import KEY

# What Windows lacks and the checking verbs might use. What Linux cannot imitate: docker/README.md.
AS_ON_WINDOWS = """
import os, runpy, signal, sys, types
import click, jinja2, numpy, pandas, PIL.Image, pyarrow.parquet, pydantic, rfc3161_client
import rouge_score.rouge_scorer
from cryptography.hazmat.primitives.asymmetric import ed25519

for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
lacks = {
    os: "O_NOFOLLOW O_NONBLOCK SEEK_DATA SEEK_HOLE getuid geteuid sysconf sched_getaffinity "
    "statvfs killpg uname fork",
    signal: "SIGHUP SIGKILL SIGALRM",
}
for owner, names in lacks.items():
    for name in names.split():
        delattr(owner, name)
msvcrt = sys.modules["msvcrt"] = types.ModuleType("msvcrt")
msvcrt.LK_NBLCK, msvcrt.locking = 2, lambda *of: None
sys.platform = "win32"
runpy.run_module("kit", run_name="__main__")
"""


# Enough to see that all files are there; tests/runs verifies every number.
INTEGRITY = ["verify", "manifests/reference/smoke", "--policy", "integrity"]


def call(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        env={"PYTHONPATH": str(PROJECT), "PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def trust(tmp_path):
    key = tmp_path / "key.pub"
    key.write_text(public_line(KEY.public_key()))
    return ["--trust", str(key)]


@pytest.mark.parametrize("verb", ["verify", "report"])
def test_a_result_is_checked_without_what_windows_lacks(signed, tmp_path, trust, verb):
    to = ["--to", str(tmp_path / "pages")] if verb == "report" else []
    done = call("-c", AS_ON_WINDOWS, verb, str(signed), *trust, *to)
    assert done.returncode == 0, done.stderr
    assert verb == "verify" or (tmp_path / "pages" / "report.html").is_file()


def test_a_console_of_another_encoding_gets_escapes_and_no_traceback():
    done = call("-m", "kit", "verify", "тест", PYTHONIOENCODING="cp1252:strict", PYTHONUTF8="0")
    assert done.returncode == 5
    assert "no result in \\u0442\\u0435\\u0441\\u0442" in done.stderr


def test_no_file_is_opened_in_the_encoding_of_the_system():
    done = call("-m", "ruff", "check", "--preview", "--isolated", "--select", "PLW1514",
                str(PROJECT / "kit"), str(PROJECT / "docker"))  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_a_file_system_that_does_not_tell_of_holes_gives_the_stated_size():
    stated = SimpleNamespace(lstat=lambda: SimpleNamespace(st_size=7))
    assert memory_limit._size(stated) == 7


@pytest.mark.parametrize(
    ("arguments", "lock"),
    [
        (["verify", "r"], "verify"),
        (["compare", "a", "b"], "verify"),
        (["report", "r", "--to=x"], "verify"),
        (["unlearn", "--help"], "plan"),
        (["plan", "m.toml", "--set", "seeds=[1]"], "plan"),
        (["plan", "--probe"], None),
        (["show", "r"], "plan"),
        (["show", "r", "--fresh"], "verify"),
        (["new", "method", "mine"], "plan"),
        (["new", "benchmark", "mine"], "draw"),
        (["keygen"], "integrity"),
        (["verify", "r", "--policy", "integrity"], "integrity"),
        (["verify", "r", "--policy=integrity"], "integrity"),
        (["verify", "m.toml", "--policy=integrity"], "verify"),
        (["verify", "r", "--policy=integrity", "--claims=m.toml"], "verify"),
        (["verify", "r", "--policy=strict"], "verify"),
        ([], "plan"),
        (["verify", "r", "--identity=x"], "keyless"),
        (["sign", "r", "--keyless"], "keyless"),
        (["sign", "r"], "verify"),
        (["report", "manifest.toml"], None),
        (["all"], None),
    ],
)
def test_each_call_gets_the_smallest_environment_that_suffices(arguments, lock):
    assert slim.lock_for(arguments) == lock


@pytest.mark.parametrize(
    ("words", "begin"),
    [
        ([], "Usage: ./run.sh [OPTIONS] COMMAND"),
        (["--help"], "Usage: ./run.sh [OPTIONS] COMMAND"),
        (["unlearn", "-h"], "Usage: ./run.sh unlearn [OPTIONS] [MANIFEST]"),
        (["data", "import", "--help"], "Usage: ./run.sh data import"),
        (["data", "--help"], "Usage: ./run.sh data [OPTIONS] COMMAND"),
        (["all", "my.toml", "--help"], "Usage: ./run.sh all"),
    ],
)
def test_help_needs_no_package_and_writes_nothing(words, begin, tmp_path):
    done = subprocess.run(
        [sys.executable, "-S", "-m", "kit", *words],
        env={"PATH": "", "PEBENCH_CACHE": str(tmp_path / "cache")},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(begin)
    assert done.stdout.count("Usage: ") == 1
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", slim_locks.PARTS)
def test_a_smaller_lock_is_a_part_of_that_of_verify(name):
    whole, packages = slim_locks.PARTS[name]
    part = read_pins(slim_locks.lock_text(name))
    larger = read_pins(slim_locks.lock_text(whole))
    assert {name for name, _ in part} == {*packages}
    assert {pin: larger[pin] for pin in part} == part, "with the same hashes"


def test_progress_of_a_build_is_what_pip_says():
    said = (
        "Collecting click==8\n  Downloading click-8-py3-none-any.whl (500 kB)\n"
        "Collecting torch==2\n  Using cached torch-2.whl (1.2 GB)\n  Downloading x.whl.metadata\n"
        "Collecting six==1 (from -r lock (line 3))\n     Downloading six-1.whl (2.6 MB)\n"
    )
    expected = "environment: found 3 of 4 packages, 1203 MB"
    assert progress_of(said, 4) == expected


@pytest.mark.parametrize("start", [["-m", "kit"], [str(PROJECT / "kit")]])
def test_a_python_without_the_packages_says_what_it_can_do(start):
    """`-S` hides every package, as a stock Python has none."""
    done = subprocess.run(
        [sys.executable, "-S", *start, "unlearn"],
        env={"PATH": ""},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "sign, keygen, report --to and --help work with any Python" in done.stderr


def test_a_build_without_an_index_says_what_it_needs_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.base_prefix + "/bin/python3", "-m", "kit", "verify", "manifests/reference/smoke"],
        env={"PATH": "", "PIP_NO_INDEX": "1", "PEBENCH_CACHE": str(tmp_path / "c")},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "No matching distribution found" in done.stderr
    assert "check the network and your pip settings" in done.stderr
    assert not list((tmp_path / "c" / "env").iterdir())


def test_a_killed_build_and_an_environment_whose_python_is_gone_are_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    old = tmp_path / "env" / "verify-0.1.partial"
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    slim_build._clear(tmp_path / "env")
    assert not old.exists()
    gone, new = tmp_path / "env" / "verify-0", tmp_path / "env" / "verify-0.2.partial"
    for folder in (gone, new):
        (folder / "bin").mkdir(parents=True)
        (folder / ".complete").touch()
    (gone / "bin" / "python").symlink_to(tmp_path / "uninstalled")
    (new / "bin" / "python").symlink_to(sys.executable)
    assert not slim_locks.is_complete(gone)
    slim_build._publish(new, gone)
    assert slim_locks.is_complete(gone)


def test_the_file_has_the_same_bytes_twice_whatever_the_umask_and_the_time(tmp_path):
    code = "import os, sys; os.umask(int(sys.argv.pop(1), 8)); import runpy; "
    code += "runpy.run_module('kit.supply_chain.one_file', run_name='__main__')"
    files = [tmp_path / name for name in ("one.pyz", "two.pyz")]
    for file, umask, zone in zip(files, ("022", "077"), ("UTC", "Asia/Tokyo"), strict=True):
        path = f"{os.environ['PATH']}"  # git says which files belong to the project
        assert call("-c", code, umask, str(file), TZ=zone, PATH=path).returncode == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    with zipfile.ZipFile(files[0]) as archive:
        names = archive.namelist()
    assert {"__main__.py", "kit/__main__.py", "docker/requirements.verify.lock"} <= set(names)
    assert "manifests/reference/smoke/manifest.intoto.json" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith("results")]


def test_the_file_starts_the_kit_and_leaves_everything_in_the_cache(tmp_path):
    (tmp_path / "kit.pyz").write_bytes(one_file.archive())
    home = tmp_path / "home"
    home.mkdir()
    # An environment that is finished stands for the packages of the index.
    done = subprocess.run(
        [sys.executable, str(tmp_path / "kit.pyz"), *INTEGRITY],
        env={"HOME": str(home), "PATH": "", "PEBENCH_ENV": sys.prefix},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "signed" in done.stdout
    assert [path.name for path in home.iterdir()] == [".cache"]
    assert [path.name for path in (home / ".cache" / "pebench-kit").iterdir()] == ["kit"]


ONE = "a==1 \\\n    --hash=sha256:{0}\n    # via b\nb==2 \\\n    --hash=sha256:{0}\n".format(
    "1" * 64
)
WINDOWS = "c==3 \\\n    --hash=sha256:{}\n".format("2" * 64)


def test_a_package_that_one_system_needs_gets_a_marker():
    locks = {
        (python, place): read_pins(ONE + (WINDOWS if "windows" in place else ""))
        for python in ("3.11", "3.14")
        for place in ("x86_64-manylinux_2_28", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")
    }
    assert merge(locks) == ONE + WINDOWS.replace(
        "c==3", "c==3 ; (sys_platform == 'win32' and platform_machine == 'AMD64')"
    )


def test_a_package_that_one_python_needs_is_refused():
    locks = {("3.11", "x86_64-manylinux_2_28"): read_pins(ONE)}
    locks["3.14", "x86_64-manylinux_2_28"] = read_pins(ONE + WINDOWS)
    with pytest.raises(Exception, match="c==3 differs between the Pythons"):
        merge(locks)


def test_markers_are_those_of_pip():
    assert marker_of("aarch64-manylinux_2_35").endswith("platform_machine == 'aarch64')")
    assert marker_of("aarch64-apple-darwin").endswith("platform_machine == 'arm64')")


def test_the_lock_has_the_hash_of_torch_for_each_python_and_machine():
    listed = (PROJECT / "docker/torch_cpu.sha256").read_text(encoding="utf-8").splitlines()
    tags = {
        tuple(re.search(r"cp(3\d+)-manylinux_\w+?_(x86_64|aarch64)", w).groups()) for w in listed
    }
    assert tags == {(p, m) for p in ("311", "312", "313") for m in ("x86_64", "aarch64")}
    lock = (PROJECT / "docker/requirements.cpu.lock").read_text(encoding="utf-8")
    pins = {pin: lines for pin, lines in read_pins(lock).items() if pin[0] == "torch"}
    assert with_hashes(pins, listed) == pins
