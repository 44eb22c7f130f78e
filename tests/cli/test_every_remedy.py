"""What the kit's remedies tell people to run, write or read exists."""

import ast
import re
from functools import cache

import click
import pytest

from kit.artifacts import PROJECT
from kit.cli.verbs import verbs
from kit.experiment.keys import section_of
from kit.experiment.manifest import Manifest

# Verbs that run.sh itself has, with their options, and its own options.
RUNNER = {"image", "clean", "test", "bench"}
RUNNER_OPTIONS = {"--runner"}
COMMAND = re.compile(r"\./run\.sh((?: [A-Za-z{][\w{}.-]*(?![\w./]))*)((?: --[a-z-]+)*)")
FILE = re.compile(r"\b(?:manifests|checksums|kit|docker|tests)/[\w./-]*\w")
KEY = re.compile(
    r"\b(benchmark|split|model|finetune|unlearn|evaluation|report|compute|calibration|tune)"
    r"\.([a-z_]+)(?:\.[a-z_]+)?\b(?!\.(?:py|toml|json)|\()"
)
# Sentences that sent people in a circle, or to something that they do not have.
DEAD_ENDS = (
    "from the repository", "save it again with commas", "run `fetch`", "run `evaluate`",
    "run `finetune`", "run `lock`", "contact", "see the documentation",
)  # fmt: skip


def text_of(node: ast.expr) -> str:
    """Return the text of an expression; what is computed is `{}`."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(v) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    parts = [text_of(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    return " ".join(filter(None, parts))


@cache
def remedies() -> dict[str, str]:
    """Return {place: text} of every remedy in the source: arguments, constants and variables."""
    found = {}
    for path in sorted((PROJECT / "kit").rglob("*.py")):
        name = path.relative_to(PROJECT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "remedy":
                found[f"{name}:{node.value.lineno}"] = text_of(node.value)
            elif isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name) and "remedy" in target.id.casefold()
                for target in node.targets
            ):
                found[f"{name}:{node.lineno}"] = text_of(node.value)
    return {place: text for place, text in found.items() if text}


def test_the_remedies_are_found():
    assert len(remedies()) > 250
    assert any("./run.sh lock" in text for text in remedies().values())


def test_every_error_about_a_manifest_has_one():
    calls = [
        (f"{path.relative_to(PROJECT)}:{node.lineno}", {word.arg for word in node.keywords})
        for path in sorted((PROJECT / "kit").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "ManifestError"
    ]
    assert len(calls) > 100
    assert [place for place, stated in calls if "remedy" not in stated] == []


def command(words: list[str]) -> tuple[click.Command, list[str]] | None:
    group: click.Command = verbs
    for number, word in enumerate(words):
        if not isinstance(group, click.Group) or word not in group.commands:
            return (group, words[number:]) if number else None
        group = group.commands[word]
    return group, []


def commands():
    for place, text in remedies().items():
        for found in COMMAND.finditer(text):
            if found[1] or found[2]:
                yield place, found[1].split(), found[2].split(), text


@pytest.mark.parametrize(("place", "words", "options", "text"), list(commands()))
def test_every_command_exists_with_its_options(place, words, options, text):
    if not words:
        assert set(options) <= {*RUNNER_OPTIONS, "--help"}, text
    elif words[0] in RUNNER:
        assert (PROJECT / "run.sh").read_text(encoding="utf-8").count(words[0])
    elif words[0] != "VERB" and not words[0].startswith("{"):
        known = command(words)
        if known is None:  # a sentence, "./run.sh builds the environment", or Ray's own command
            assert words[0] in {"builds", "with", "shows", "ray"}, text
            return
        names = {name for param in known[0].params for name in param.opts}
        assert set(options) <= {*names, "--help"}, text
        chosen = known[1] and known[1][0].startswith("{")  # which of its verbs, a variable says
        assert chosen or not isinstance(known[0], click.Group), f"{text}: which of its verbs?"


@pytest.mark.parametrize(("place", "text"), list(remedies().items()))
def test_every_file_and_every_key_exists_and_no_remedy_is_a_dead_end(place, text):
    for name in FILE.findall(text):
        assert (PROJECT / name).exists(), name
    for section, key in re.findall(KEY, text):
        annotation = Manifest.model_fields[section].annotation
        fields = getattr(section_of(section, annotation), "model_fields", {})
        assert key in fields, f"{section}.{key}"
    for sentence in DEAD_ENDS:
        assert sentence not in text
