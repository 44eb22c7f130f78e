"""The digest of a renderer covers all that makes a page, and nothing that does not."""

import subprocess
import sys

import pytest

from kit import code
from kit.artifacts import PROJECT
from kit.digests import read_code
from kit.report import renderer

SOURCE = '''"""A page."""
import json


def line(value):
    """Return a line."""
    return f"{value}: {json.dumps(None)}"
'''


@pytest.fixture
def kit_copy(tmp_path, monkeypatch):
    """A small kit with a report, a template, and a benchmark that is imported by its name."""
    files = {
        "kit/__init__.py": "",
        "kit/report/__init__.py": "from kit import numbers\nfrom kit.benchmarks import load\n",
        "kit/report/pages.py": SOURCE,
        "kit/report/templates/page.j2": "Forgotten: {{ value }}",
        "kit/benchmarks/__init__.py": "import importlib\nload = importlib.import_module('x')\n",
        "kit/benchmarks/small.py": "TITLE = 'Small'\n",
        "kit/numbers.py": "def round_down():\n    from kit import words\n",
        "kit/words.py": "WORDS = 1\n",
        "kit/training.py": "STEPS = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(code, "ROOT", tmp_path)
    return tmp_path


def digest():
    """Return the digest of what lies in the files now: nothing read before counts."""
    for known in (renderer.renderer_digest, code._code_of, code._read):
        known.cache_clear()
    try:
        return renderer.renderer_digest()
    finally:
        renderer.renderer_digest.cache_clear()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("kit/report/templates/page.j2", "Forgotten", "Lost"),
        ("kit/report/pages.py", ": {json", "; {json"),
        ("kit/numbers.py", "round_down", "round_up"),
        ("kit/words.py", "WORDS = 1", "WORDS = 2"),
        ("kit/benchmarks/small.py", "'Small'", "'Tiny'"),
    ],
)
def test_another_word_or_another_line_of_code_is_another_renderer(kit_copy, name, old, new):
    before = digest()
    path = kit_copy / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert digest() != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kit/training.py", "STEPS = 2\n"),
        ("kit/report/__pycache__/pages.cpython-311.pyc.139", "half written"),
        ("kit/report/pages.py", SOURCE.replace("Return a line", "Return one line") + "# Why.\n"),
        ("kit/report/pages.py", SOURCE.replace("(value)", "(\n    value,\n)")),
    ],
    ids=["code that renders nothing", "a cache of Python", "docstring and comment", "layout"],
)
def test_what_changes_no_page_is_the_same_renderer(kit_copy, name, text):
    before = digest()
    (kit_copy / name).parent.mkdir(exist_ok=True)
    (kit_copy / name).write_text(text, encoding="utf-8")
    assert digest() == before


def test_another_version_of_a_library_that_writes_pages_is_another_renderer(kit_copy, monkeypatch):
    before = digest()
    monkeypatch.setattr(renderer, "version", lambda name: f"{name} 99")
    assert digest() != before


def test_all_modules_of_the_kit_that_a_report_loads_are_in_it():
    """The closure is read from the sources; this asks Python what it has really loaded."""
    program = (
        "import sys, kit.report, kit.report.model_card, kit.report.metadata, kit.benchmarks as b; "
        "[b.protocol(name) for name in b.names()]; "
        "print(*[name for name in sys.modules if name.split('.')[0] == 'kit'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    loaded, found = set(done.stdout.split()), set(renderer.rendering_code())
    assert {"kit.report.pages", "kit.metrics.statistics", "kit.benchmarks.pope"} <= loaded
    assert {code.path_of(name).relative_to(PROJECT).as_posix() for name in loaded} <= found
    assert not {name for name in found if name.startswith(("kit/training", "kit/methods"))}
    templates = (PROJECT / "kit" / "report" / "templates").iterdir()
    assert {path.relative_to(PROJECT).as_posix() for path in templates} <= found
    assert not {name for name in found if name.endswith(".md")}, "a README makes no page"


def test_a_constant_of_nothing_is_not_left_out():
    codes = [read_code(text)[0] for text in ("x = None", "x = 0", "x = ''")]
    assert len(set(codes)) == 3
