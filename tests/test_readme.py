"""README's tree is the folder's: every module is named once, and nothing is named that is not."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def tree() -> str:
    return README.split("## Tree")[1].split("```")[1]


def test_every_module_of_the_kit_is_in_the_tree():
    named = set(re.findall(r"[\w/.-]+(?:\.py|/)", tree()))
    for path in sorted((REPOSITORY / "kit").iterdir()):
        if path.suffix == ".py" and not path.name.startswith("__"):
            assert path.name in named, path.name
        if path.is_dir() and path.name != "__pycache__":
            assert any(name.startswith(f"{path.name}/") for name in named), path.name


def test_what_the_tree_names_is_there():
    for name in re.findall(r"\b([\w/]+\.py)\b", tree()):
        found = list((REPOSITORY / "kit").rglob(name))
        assert found or (REPOSITORY / "kit" / name).is_file(), name


def test_every_verb_and_every_exit_code_is_documented():
    from kit import errors
    from kit.cli import verbs

    table = README.split("## Verbs")[1].split("Exit codes:")
    for verb in verbs.commands:
        assert f"`{verb}`" in table[0] or verb == "test", verb
    codes = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.KitError)
    }
    listed = {int(code) for code in re.findall(r"\b(\d+) [a-z]", table[1].split("\n\n")[0])}
    assert codes <= listed


def test_no_number_is_left_to_fill_in():
    assert "@@" not in README
