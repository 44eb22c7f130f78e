"""Find a method by its name and build it with its options."""

import importlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from kit.errors import ManifestError, unknown
from kit.methods.step import Method

FOLDER = Path(__file__).parent
MARK = "\nMETHOD = "  # how the file of a method ends


def names() -> list[str]:
    """Return the methods: the files of this folder that define `METHOD`."""
    files = FOLDER.glob("*.py")
    return sorted(path.stem for path in files if MARK in path.read_text(encoding="utf-8"))


def build(name: str, options: Mapping[str, object], origin: str = "manifest") -> Method:
    """Return the method `name` with its options.

    Args:
        origin: the part of the manifest that names the method, for messages.

    Raises:
        ManifestError: no such method, no such option, or an option of the wrong type.
    """
    kind = _class_of(name, origin)
    known = {option.name: option for option in fields(kind)}
    for option, value in options.items():
        if option not in known:
            what = f"{origin}: method '{name}' has no option '{option}'"
            if not known:
                raise ManifestError(what, expected="no option", remedy="leave `options` out")
            raise unknown(what, option, known, remedy="correct `options`")
        wanted = type(known[option].default)
        if not isinstance(value, wanted) and not (wanted is float and type(value) is int):
            raise ManifestError(
                f"{origin}: option '{option}' of method '{name}' is not valid",
                expected=wanted.__name__,
                found=repr(value),
                remedy=f"see kit/methods/{name}.py",
            )
    method: Method = kind(**options)
    return method


def _class_of(name: str, origin: str) -> type:
    path = FOLDER / f"{name}.py"
    if name in names():
        try:
            kind: type = importlib.import_module(f"kit.methods.{name}").METHOD
            return kind
        except SyntaxError as error:
            raise ManifestError(
                f"{origin}: method '{name}' (kit/methods/{name}.py) is not valid Python",
                found=f"line {error.lineno}: {error.msg}",
                remedy="correct the method's file",
            ) from None
    if path.is_file():
        raise ManifestError(
            f"{origin}: method '{name}' (kit/methods/{name}.py) has no METHOD",
            expected="a line `METHOD = <the class>` that begins at the left margin",
            remedy="add it to the end of the file",
        )
    what, remedy = f"{origin}: no method '{name}'", f"add kit/methods/{name}.py"
    raise unknown(what, name, names(), remedy=remedy)
