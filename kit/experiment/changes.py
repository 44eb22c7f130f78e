"""`--set key=value`: changes of a manifest that a call states, as if its file said so.

The value is written as in TOML; a text needs no quotes. The type of the key decides what it may be.
The change is a part of the resolved manifest, and so of its digest and of run.json.
"""

import tomllib
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from kit.errors import ManifestError, unknown
from kit.experiment.keys import LISTS, section_of
from kit.experiment.manifest import Manifest

FLAG = "--set"
Place = tuple[str, ...]


def apply_changes(document: dict[str, Any], changes: Sequence[str]) -> dict[Place, str]:
    """Change a manifest, given as plain values, in place; return where, and by which argument.

    Args:
        changes: `key=value` each; the key is a dotted path, in which an entry of a list is named
            by its name (a claim by its id) or by its number from 0.

    Raises:
        ManifestError: a change has no `=`, or its key does not exist.
    """
    made: dict[Place, str] = {}
    for change in changes:
        key, sign, text = change.partition("=")
        if not sign or not key or not change.isprintable():
            raise ManifestError(
                f"{FLAG} {change}: not a key and a value in one line",
                expected="key=value, such as unlearn.learning_rate=5e-4",
                found=repr(change),
                remedy="write the key, an equals sign and the value without blanks",
            )
        place = _apply(document, key.strip().split("."), text.strip(), change)
        if place in made:
            raise ManifestError(
                f"{FLAG} {change}: '{'.'.join(place)}' is changed twice",
                expected="each key once: a manifest has one value of it",
                found=made[place],
                remedy="leave one of them out",
            )
        made[place] = f"{FLAG} {change}"
    return made


def _apply(document: dict[str, Any], key: list[str], text: str, change: str) -> Place:
    """Change one key and return its place, with the numbers of entries of lists."""
    inside: Any = document
    value: int | str
    model: Any = Manifest
    place: list[str] = []
    for number, part in enumerate(key):
        last = number == len(key) - 1
        if isinstance(inside, list):
            part = _entry(inside, part, change, place)
            value = int(part)
        elif (fields := getattr(model, "model_fields", None)) is not None:
            if part not in fields:
                where = f" in {'.'.join(place)}" if place else ""
                raise unknown(
                    f"{FLAG} {change}: no key '{part}'{where}",
                    part,
                    list(fields),
                    remedy="manifests/README.md lists all keys",
                )
            if last:
                inside[part] = _typed(text, fields[part], change)
                return (*place, part)
            model = section_of(part, fields[part].annotation)
            value = part
            inside.setdefault(part, [] if part in LISTS else {})
        else:  # a table of free keys, such as the options of a method
            value = part
            if last:
                inside[part] = _plain(text)
                return (*place, part)
            inside.setdefault(part, {})
        place.append(part)
        if last or not isinstance(inside[value], dict | list):
            named, what = ".".join(key[: number + 1]), "an entry" if last else "no table"
            raise ManifestError(
                f"{FLAG} {change}: '{named}' is {what}",
                expected="the key of a value",
                found=repr(inside[value])[:80],
                remedy="manifests/README.md lists all keys",
            )
        inside = inside[value]
    raise AssertionError("a key has a part at least")


def _entry(entries: list[Any], part: str, change: str, place: Sequence[str]) -> str:
    """Return the number of an entry that is named by its name, its id or its number."""
    names = [
        str(each.get("name", each.get("id", ""))) if isinstance(each, dict) else ""
        for each in entries
    ]
    if part in names:
        return str(names.index(part))
    if part.isascii() and part.isdigit() and int(part) < len(entries):
        return part
    raise unknown(
        f"{FLAG} {change}: no entry '{part}' in {'.'.join(place)}",
        part,
        [name for name in names if name],
        remedy="name an entry, or give its number from 0",
    )


def _typed(text: str, field: FieldInfo, change: str) -> Any:
    """Return a value as its key's type wants it: as TOML, or else as a text.

    Raises:
        ManifestError: it is a list or a table of which the shell took the quotes.
    """
    kind: Any = field.annotation
    for item in field.metadata:
        kind = Annotated[kind, item]
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    plain = _plain(text)
    for value in (plain, text):
        try:
            adapter.validate_python(value)
        except ValidationError:
            continue
        return value
    if plain is text and text[:1] in ("[", "{"):
        raise ManifestError(
            f"{FLAG} {change}: the value is no list or table as TOML writes it",
            expected='texts in double quotes, such as ["person", "event"]',
            found=text,
            remedy=f"shells take double quotes away: put the whole argument in single quotes, "
            f'{FLAG} \'KEY=["a", "b"]\'',
        )
    return plain  # the manifest's own check says what is wrong


def _plain(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return found["value"] if len(found) == 1 else text


def toml_fault(error: Exception) -> str:
    """Return in words why a text cannot be read as TOML.

    Args:
        error: what `tomllib` raised. It lets through the errors of Python's `int` and recursion.
    """
    if isinstance(error, RecursionError):
        return "it is nested too deeply to be read"
    if isinstance(error, tomllib.TOMLDecodeError):
        return str(error)
    return f"a number that is too long to be read: {error}"
