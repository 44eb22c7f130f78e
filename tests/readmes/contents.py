"""What READMEs show of the code: each table is made from the code that it is about."""

import ast
import dataclasses
import importlib
import itertools
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from kit.attacks import registry as attack_registry
from kit.cli.plan_scale import render_scale
from kit.error_kinds import RETIRED, kinds
from kit.errors import KitError
from kit.exchange.columns import COLUMNS, FILES, SENTENCES
from kit.experiment.manifest_file import load_manifest
from kit.experiment.reference import key_tables
from kit.methods import registry as method_registry
from kit.plan.cards import GIGABYTES, card_rows
from kit.plan.preview import preview
from kit.plan.published import PUBLISHED
from kit.verification.verify import table
from tests.ground.test_imports import FLOORS, GROUND, LIGHT
from tests.readmes import all_methods
from tests.readmes.pages import PROJECT

MANIFESTS = PROJECT / "manifests"
METHODS = PROJECT / "kit" / "methods"
OTHER_CODES = {0: "Success", 130: "Interrupted (Ctrl-C)"}
MORE = {1: "; or `compare`: RESULT does not reproduce REFERENCE", 2: "; or wrong usage"}


def exit_codes() -> str:
    """Return the table of exit codes, from the docstrings of the errors."""
    meanings = dict(OTHER_CODES)
    for kind in KitError.__subclasses__():
        meanings[kind.exit_code] = _sentence(kind.__doc__) + MORE.get(kind.exit_code, "")
    lines = [f"| {code} | {meanings[code]} |" for code in sorted(meanings)]
    return "\n".join(["| code | meaning |", "|---|---|", *lines])


def error_kinds() -> str:
    """Return the catalogue of errors."""
    lines = [
        "| id | exit code | what is wrong | what to do | noticed by |",
        "|---|---|---|---|---|",
    ]
    for kind in kinds():
        names = (name if name in ("run.sh", RETIRED) else f"kit.{name}" for name in kind.modules)
        made_by = ", ".join(f"`{name}`" for name in names) or "others"
        cells = (kind.id, str(kind.exit_code), kind.problem, kind.remedy, made_by)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def rooms() -> str:
    """Return the rooms by floor, as the test of imports has them, each with its docstring."""
    lines = ["| floor | room | purpose | without torch |", "|---|---|---|---|"]
    for floor, names in enumerate(FLOORS.strip().split("\n")):
        for name in names.split():
            folder = "" if name == GROUND else f"{name}/"
            light = "yes" if name in LIGHT else ""
            lines.append(f"| {floor} | `kit/{folder or '*.py'}` | {_purpose(name)} | {light} |")
    return "\n".join(lines)


def _purpose(room: str) -> str:
    if room == GROUND:
        return "What every room may use: errors, digests, artifacts, random draws, names"
    source = (PROJECT / "kit" / room / "__init__.py").read_text(encoding="utf-8")
    return _sentence(ast.get_docstring(ast.parse(source)))


def checks() -> str:
    """Return the checks of `verify`: what each proves, and what it does not."""
    lines = [f"| {name} | {proves} | {leaves_open} |" for name, proves, leaves_open in table()]
    return "\n".join(["| check | proves | does not prove |", "|---|---|---|", *lines])


def methods() -> str:
    """Return every method with its title and the first sentence about its class."""
    lines = ["| `method` | title | what it does |", "|---|---|---|"]
    for name in method_registry.names():
        module = importlib.import_module(f"kit.methods.{name}")
        title = _sentence(module.__doc__).split(". ")[0]
        lines.append(f"| `{name}` | {title} | {_sentence(module.METHOD.__doc__)} |")
    return "\n".join(lines)


def needs() -> str:
    """Return what a method can need: the fields of `Needs` with their defaults."""
    lines = [
        f"| `{name}` | `{'' if value is None else ast.unparse(value)}` | {doc} |"
        for name, value, doc in _fields("Needs")
    ]
    return "\n".join(["| field | default | what the loop prepares |", "|---|---|---|", *lines])


def step() -> str:
    """Return what a step offers to a loss: fields and functions of `Step` and `Prepared`."""
    offered = [(f"`{name}`", doc) for name, _, doc in _fields("Step")]
    for kind in ("Step", "Prepared"):
        offered += [(f"`{name}`", doc) for name, doc in _functions(kind)]
    lines = [f"| {name} | {doc} |" for name, doc in offered]
    return "\n".join(["| `step.` | what it is |", "|---|---|", *lines])


def attacks() -> str:
    """Return every attack with what it does, what its level counts, and its options."""
    lines = [
        "| `attack` | what it does | a level is | from, to | options |",
        "|---|---|---|---|---|",
    ]
    for name in attack_registry.names():
        module = importlib.import_module(f"kit.attacks.{name}")
        kind, sentence = module.ATTACK, _sentence(module.__doc__).split(". ")[0].rstrip(".")
        options = ", ".join(_option(each) for each in dataclasses.fields(kind))
        lines.append(
            f"| `{name}` | {sentence} | {kind.unit} | {kind.least:g}, {kind.most:g} | {options} |"
        )
    return "\n".join(lines)


def _option(option: "dataclasses.Field[Any]") -> str:
    """Return an option as a manifest has it; one without a default may be left out."""
    value = option.default
    return f"`{option.name}`" if value is None else f"`{option.name} = {json.dumps(value)}`"


def cards() -> str:
    """Return how the manifests for a GPU are trained on cards of three sizes."""
    sizes = " | ".join(f"{gigabytes} GB" for gigabytes in GIGABYTES)
    lines = [f"| manifest | {sizes} | for |", "|---|" + "---|" * (len(GIGABYTES) + 1)]
    found: dict[str, list[str]] = {}  # rows -> the manifests that have them
    for path in sorted(MANIFESTS.glob("*.toml")):
        manifest = load_manifest(path)
        published = PUBLISHED.get(manifest.model.source.repo or "")
        if published is not None:
            rows = card_rows(manifest, published.sizes, published.record)
            said = (f"{' | '.join(cells)} | {', '.join(kinds)} |" for cells, kinds in rows)
            found.setdefault("\n|  | ".join(said), []).append(f"`{path.name}`")
    return "\n".join([*lines, *(f"| {', '.join(names)} | {rows}" for rows, names in found.items())])


def columns() -> str:
    """Return the tables of a result with their columns."""
    lines = []
    for name, described in COLUMNS.items():
        file = f" (`{FILES[name]}`)" if name in FILES else ""
        lines += [f"**`{name}`**{file}. {SENTENCES[name]}", "", "| column | what it holds |"]
        lines += ["|---|---|", *(f"| `{key}` | {text} |" for key, text in described.items()), ""]
    return "\n".join(lines).rstrip()


def _class(name: str) -> ast.ClassDef:
    source = (METHODS / f"{name.lower()}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    (found,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name]
    return found


def _fields(name: str) -> Iterator[tuple[str, ast.expr | None, str]]:
    """Yield (name, default, docstring) of the public fields of a class."""
    body = _class(name).body
    for node, after in itertools.zip_longest(body, body[1:]):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said = after.value if isinstance(after, ast.Expr) else None
            doc = said.value if isinstance(said, ast.Constant) else ""
            if not node.target.id.startswith("_"):
                yield node.target.id, node.value, _sentence(str(doc))


def _functions(name: str) -> Iterator[tuple[str, str]]:
    for node in _class(name).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            called = "" if any(ast.unparse(d) == "property" for d in node.decorator_list) else "()"
            yield f"{node.name}{called}", _sentence(ast.get_docstring(node))


def _sentence(doc: str | None) -> str:
    return " ".join((doc or "").split("\n\n")[0].split()).rstrip(".").replace("|", "\\|")


# (page, name of the marks) -> what belongs between them
def scale_of(name: str) -> str:
    """Return what `plan --scale` prints of a manifest without measured times."""
    plan = preview(load_manifest(MANIFESTS / f"{name}.toml"))[0]
    return "\n".join(["```text", *render_scale(plan, None), "```"])


CONTENTS: dict[tuple[str, str], Callable[[], str]] = {
    ("manifests/README.md", "keys"): key_tables,
    ("manifests/README.md", "cards"): cards,
    ("manifests/reference/README.md", "all methods"): all_methods.table,
    ("manifests/scaling/README.md", "pebench"): partial(scale_of, "pebench"),
    ("manifests/scaling/README.md", "mllmu"): partial(scale_of, "mllmu"),
    ("manifests/scaling/README.md", "clear"): partial(scale_of, "clear"),
    ("kit/README.md", "rooms"): rooms,
    ("kit/README.md", "exit codes"): exit_codes,
    ("kit/cli/README.md", "errors"): error_kinds,
    ("kit/verification/README.md", "checks"): checks,
    ("kit/attacks/README.md", "attacks"): attacks,
    ("kit/exchange/README.md", "columns"): columns,
    ("kit/methods/README.md", "methods"): methods,
    ("kit/methods/README.md", "needs"): needs,
    ("kit/methods/README.md", "step"): step,
}
