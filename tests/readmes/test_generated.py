"""What READMEs show of the code is what the code says, and the picture is what its code draws."""

import os
import subprocess
import sys
import venv
from xml.etree import ElementTree

import pytest

from kit.experiment.manifest_file import load_manifest
from kit.experiment.reference import TABLES, described_keys
from kit.experiment.section import Unit
from tests.readmes import all_methods, completion, help_text
from tests.readmes.contents import CONTENTS
from tests.readmes.data_flow import DARK, FILES, LIGHT, draw
from tests.readmes.pages import PROJECT, WRITTEN_BY, generated, pages, text_of

HERE = os.environ | {"PYTHONPATH": str(PROJECT)}
SAID = {"capture_output": True, "text": True, "check": True}
AGAIN = "write it again: python3 -m tests.readmes"


@pytest.mark.parametrize(("page", "name"), CONTENTS)
def test_a_generated_table_is_up_to_date(page, name):
    assert generated(page, name) == CONTENTS[page, name]().strip("\n"), AGAIN


@pytest.mark.parametrize("sentence", list(all_methods.sentences()))
def test_the_text_about_all_methods_has_the_numbers_of_the_signed_result(sentence):
    assert sentence in " ".join(text_of("manifests/reference/README.md").split())


def test_every_mark_in_a_page_has_code_that_writes_it():
    marks = sum(path.read_text(encoding="utf-8").count(WRITTEN_BY) for path in pages())
    assert marks == len(CONTENTS)


def test_any_python_writes_them_and_says_what_is_missing(tmp_path):
    """A stock Python goes on in the kit's environment; where there is none, it says so."""
    venv.create(tmp_path / "stock", symlinks=True)
    stock = tmp_path / "stock" / "bin" / "python"
    hidden = {"PYTHONPATH", "PEBENCH_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["PEBENCH_CACHE"] = str(tmp_path / "cache")
    command = [stock, "-m", "tests.readmes"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, **{**SAID, "check": False})
    assert done.returncode == 1
    assert "./run.sh doctor builds it" in done.stderr


@pytest.mark.parametrize("path", FILES)
def test_the_picture_is_what_its_code_draws(path):
    assert text_of(path) == draw(FILES[path]), AGAIN


def test_the_help_before_the_environment_exists_is_that_of_the_command_line():
    # click keeps the help option of a command's first call, and another test may have made it
    alone = "from tests.readmes import help_text; print(help_text.help_text(), end='')"
    said = subprocess.run([sys.executable, "-P", "-c", alone], cwd=PROJECT, env=HERE, **SAID)
    assert text_of(help_text.FILE) == said.stdout, AGAIN


def test_the_completion_knows_the_verbs_and_options_of_the_command_line():
    assert text_of(completion.FILE) == completion.completion_table(), AGAIN


def test_the_picture_shows_the_stages_in_order_in_both_themes():
    for colours in (LIGHT, DARK):
        texts = [node.text for node in ElementTree.fromstring(draw(colours)).iter() if node.text]
        verbs = "fetch finetune unlearn evaluate report sign verify compare".split()
        assert [text for text in texts if text in verbs] == verbs


def test_pages_show_the_dark_picture_in_dark_mode():
    for page, folder in (("README.md", "kit/"), ("kit/README.md", "")):
        assert f'srcset="{folder}data-flow-dark.svg"' in text_of(page)
        assert f'src="{folder}data-flow.svg"' in text_of(page)


@pytest.mark.parametrize("section", TABLES.values(), ids=lambda section: section.__name__)
def test_every_key_of_a_manifest_is_described(section):
    for name, field in described_keys(section).items():
        assert field.description, f"{section.__name__}.{name}"
        assert field.description.rstrip().endswith((".", "...")), f"{section.__name__}.{name}"


def test_every_count_has_a_unit():
    unitless = {"seed", "seeds", "options"}
    for section in TABLES.values():
        for name, field in described_keys(section).items():
            if field.annotation is int and name not in unitless:
                assert any(isinstance(item, Unit) for item in field.metadata), name


def test_every_section_that_a_manifest_can_have_has_its_table():
    shown = {section.__name__ for section in TABLES.values()}
    base = next(iter(TABLES.values())).__bases__[0]

    def below(section):
        return {section.__name__}.union(*(below(kind) for kind in section.__subclasses__()))

    assert below(base) - {base.__name__} == shown


def test_descriptions_decide_nothing():
    manifest = load_manifest(PROJECT / "manifests" / "smoke.toml")
    assert "Number of optimisation steps" in generated("manifests/README.md", "keys")
    assert "Number of optimisation steps" not in repr(manifest.resolved())
