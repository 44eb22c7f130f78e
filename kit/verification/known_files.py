"""What the files of methods and attacks in this kit accept, read without running them.

They need torch, which a verifier does not have. An author may have files of their own, or have
changed one: such a result is not refused, but what this kit does not know is said.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from kit.experiment import options as ranges
from kit.experiment.options import Range, written
from kit.names import show
from kit.verification.planned import Planned
from kit.verification.run_facts import RunFacts

KIT = Path(__file__).parent.parent
METHODS, ATTACKS = "methods", "attacks"
_MARKS = {METHODS: "METHOD", ATTACKS: "ATTACK"}
_TAKEN_FOR_GRANTED = {"forget": True, "training": True}  # defaults of needs; the others are off


@dataclass
class Known:
    """What is known of one file: its options, their ranges, and the declared needs if constant."""

    options: dict[str, object] = field(default_factory=dict)
    allowed: dict[str, Range] = field(default_factory=dict)
    needs: dict[str, bool] | None = None
    levels: dict[str, float] = field(default_factory=dict)  # least, most


def file_lines(manifest: Mapping[str, object], facts: RunFacts, planned: Planned) -> Iterator[str]:
    """Yield a line for each method, option, need and level that this kit does not know.

    Args:
        manifest: that in run.json, which is valid.
        facts: of run.json.
        planned: what the manifest implies.
    """
    for entry in _entries(manifest.get("methods")):
        place = f"method {entry['name']}"
        yield from _option_lines(METHODS, entry.get("method"), entry.get("options"), place)
    attack = manifest.get("attack")
    for entry in _entries(attack.get("entries") if isinstance(attack, dict) else None):
        place, file = f"attack {entry['name']}", entry.get("attack")
        if known := known_file(ATTACKS, file):  # others: kit.verification.attacked_form
            yield from _option_lines(ATTACKS, file, entry.get("options"), place)
            yield from _level_lines(known, entry.get("levels"), f"{place}: kit/attacks/{file}.py")
    seen = set()
    for job in facts.jobs:
        entry_name, file = planned.entries.get(job.name, ""), planned.methods.get(job.name)
        known = known_file(METHODS, file)
        if known is None or known.needs is None or job.needs is None or entry_name in seen:
            continue
        seen.add(entry_name)
        others = [n for n, on in job.needs.items() if on != known.needs.get(n, False)]
        if others:
            yield (
                f"method {entry_name}: {job.name} states other needs than kit/methods/{file}.py of "
                f"this kit: {', '.join(sorted(others))[:200]}"
            )


def _option_lines(room: str, name: object, options: object, place: str) -> Iterator[str]:
    known = known_file(room, name)
    kind = room.removesuffix("s")
    if known is None:
        yield show(f"{place}: this kit has no {kind} '{name}'; what it does was not checked")
        return
    file = f"kit/{room}/{name}.py of this kit"
    for option, value in options.items() if isinstance(options, dict) else ():
        default = known.options.get(option)
        if option not in known.options:
            yield show(f"{place}: {file} has no option '{option}'; what it does was not checked")
        elif option in known.allowed and not known.allowed[option].has(value):
            yield show(f"{place}: {file} refuses {option} = {written(value)}: it accepts "
                       f"{known.allowed[option]}")  # fmt: skip
        elif default is not None and not _is_alike(default, value):
            yield show(f"{place}: {file} refuses {option} = {written(value)}, of another type "
                       f"than {written(default)}")  # fmt: skip


def _level_lines(known: Known, levels: object, file: str) -> Iterator[str]:
    least, most = known.levels.get("least"), known.levels.get("most")
    for level in levels if isinstance(levels, list) else ():
        if least is not None and most is not None and not least <= level <= most:
            yield f"{file} of this kit has levels from {least:g} to {most:g}, not {level:g}"


def _is_alike(default: object, value: object) -> bool:
    numbers = (int, float)
    if type(default) in numbers:
        return type(value) in numbers
    return type(default) is type(value)


def _entries(listed: object) -> list[dict[str, object]]:
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


@cache
def known_file(room: str, name: object) -> Known | None:
    """Return what the file `name` of a room accepts; None where this kit has no such file."""
    if not isinstance(name, str) or not name.isidentifier():
        return None
    path = KIT / room / f"{name}.py"
    if not path.is_file():
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"))
    marked = [
        node.value.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Name)
        and [ast.unparse(each) for each in node.targets] == [_MARKS[room]]
    ]
    return _known(room, marked[0]) if marked else None


def _known(room: str, name: str) -> Known:
    """Return what a class accepts, with what it inherits from classes of its room."""
    found, node = Known(), _classes(room).get(name)
    if node is None:
        return found
    for base in node.bases:
        inherited = _known(room, ast.unparse(base))
        found.options |= inherited.options
        found.allowed |= inherited.allowed
        found.levels |= inherited.levels
    for each in node.body:
        if not isinstance(each, ast.AnnAssign) or not isinstance(each.target, ast.Name):
            continue
        option = each.target.id
        if option == "needs":
            found.needs = _needs(each.value)
        elif ast.unparse(each.annotation).startswith("ClassVar"):
            if option in ("least", "most") and each.value is not None:
                found.levels[option] = ast.literal_eval(each.value)
        else:
            found.options[option] = _literal(each.value)
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "require":
            for keyword in call.keywords:
                allowed = getattr(ranges, ast.unparse(keyword.value), None)
                if keyword.arg and isinstance(allowed, Range):
                    found.allowed[keyword.arg] = allowed
    return found


@cache
def _classes(room: str) -> dict[str, ast.ClassDef]:
    trees = (ast.parse(p.read_text(encoding="utf-8")) for p in sorted((KIT / room).glob("*.py")))
    return {n.name: n for tree in trees for n in tree.body if isinstance(n, ast.ClassDef)}


def _needs(value: ast.expr | None) -> dict[str, bool] | None:
    """Return the needs of a constant `Needs(...)`; None of any other expression."""
    if not isinstance(value, ast.Call) or ast.unparse(value.func) != "Needs" or value.args:
        return None
    stated = {keyword.arg: _literal(keyword.value) for keyword in value.keywords}
    if any(name is None or not isinstance(on, bool) for name, on in stated.items()):
        return None
    return _TAKEN_FOR_GRANTED | {str(name): bool(on) for name, on in stated.items()}


def _literal(value: ast.expr | None) -> object:
    try:
        return ast.literal_eval(value) if value is not None else None
    except ValueError:
        return None
