"""README names every verb and every exit code."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_every_verb_and_every_exit_code_is_documented():
    from kit import errors
    from kit.cli.verbs import verbs

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
