"""The house rules that a program can check: linting, format, size and names of the files.

The types of the kit are checked together with those of new files: tests/scaffolds/test_new.py.
"""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MODULES = sorted((REPOSITORY / "kit").rglob("*.py"))
LONGEST = 250
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "managers", "manager"}


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache"],
        ["ruff", "format", "--check", "--no-cache"],
    ],
    ids=["lint", "format"],
)
def test_the_sources_pass(command: list[str]) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", *command], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_module_is_too_long_to_read_in_one_go() -> None:
    lengths = {str(path): len(path.read_text().splitlines()) for path in MODULES}
    assert lengths, "no module found"
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST} == {}


def test_every_file_is_named_after_what_it_holds() -> None:
    sources = [*MODULES, *(REPOSITORY / "tests").rglob("*.py")]
    assert [path for path in sources if path.stem in VAGUE] == []
