"""Find a method by its name and build it with its options."""

import dataclasses
import difflib
import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.errors import KitError, ManifestError, MethodError, unknown
from kit.experiment.options import built
from kit.methods.loss import line_of
from kit.methods.merging import adapters_fault
from kit.methods.needs import Needs
from kit.methods.step import Method
from kit.methods.update import PARTS

FOLDER = Path(__file__).parent
MARK = "\nMETHOD = "  # how the file of a method ends
SWITCH = (False, True)
# Needs for which a method has a function of its own beside its loss.
OWN = {"arithmetic": "after_training(self, weights)", "neurons": "neurons(self, steps)"}
SHAPE = "a frozen dataclass with `needs: ClassVar[Needs]` and `loss(self, step)`"


def names() -> list[str]:
    """Return the methods: the files of this folder that define `METHOD`."""
    files = FOLDER.glob("*.py")
    return sorted(path.stem for path in files if MARK in path.read_text("utf-8", errors="replace"))


def build(name: str, options: Mapping[str, object], origin: str = "manifest") -> Method:
    """Return the method `name` with its options.

    Args:
        origin: the part of the manifest that names the method, for messages.

    Raises:
        ManifestError: no such method, no such option, or an option that the method refuses.
        MethodError: the method's file cannot be imported, or `METHOD` is no method.
    """
    kind = _class_of(name, origin)
    see = f"see kit/methods/{name}.py"
    try:
        method: Method = built(kind, options, f"method '{name}'", origin=origin, remedy=see)
    except ManifestError:
        raise
    except Exception as error:
        raise ManifestError(
            f"{origin}: method '{name}' refuses its options",
            expected=f"values that kit/methods/{name}.py takes",
            found=f"{type(error).__name__}: {str(error)[:200]}",
            remedy=f"correct `options`; see {line_of(error) or f'kit/methods/{name}.py'}",
        ) from None
    _require_needs(method, name, f"{origin}: method '{name}' (kit/methods/{name}.py)")
    return method


def _require_needs(method: Method, name: str, what: str) -> None:
    """Check the needs of a method that is built: a property may return anything.

    Raises:
        MethodError: they are no `Needs`, or one of them is neither True nor False.
    """
    fault = ""
    try:
        needs: object = method.needs
    except Exception as error:
        fault = f"{type(error).__name__}: {str(error)[:200]}, by {line_of(error) or '`needs`'}"
    else:
        if not isinstance(needs, Needs):
            fault = f"{needs!r:.80}, of type {type(needs).__name__}"
        elif odd := [n for n, value in dataclasses.asdict(needs).items() if value not in SWITCH]:
            fault = f"{odd[0]} = {getattr(needs, odd[0])!r:.80}"
        else:
            fault = adapters_fault(method)
            _require_parts(method, name, what)
    if fault:
        raise MethodError(
            f"{what}: `needs` is not valid",
            expected="Needs(...), with True or False for each need",
            found=fault,
            remedy=f"correct `needs` in kit/methods/{name}.py",
        )


def _require_parts(method: Method, name: str, what: str) -> None:
    """Check that a method defines the functions that its needs call, and declares those it has.

    Raises:
        MethodError: it does not.
    """
    needs = method.needs
    for need, functions in PARTS.items():
        has = [part for part in functions if callable(getattr(type(method), part, None))]
        declared = getattr(needs, need)
        if declared and len(has) < len(functions):
            lacking = next(part for part in functions if part not in has)
            found, remedy = f"{needs.source()} without `{lacking}`", f"define `{lacking}`"
        elif declared or functions[0] not in has:
            continue
        else:
            found, remedy = f"`{functions[0]}` with {needs.source()}", needs.source(need)
        raise MethodError(
            f"{what}: its functions are not those of its needs",
            expected=f"{' and '.join(f'`{part}`' for part in functions)} with "
            f"`needs = Needs({need}=True)`",
            found=found,
            remedy=f"write {remedy} in kit/methods/{name}.py; see kit/methods/update.py",
        )


def _class_of(name: str, origin: str) -> Any:
    path = FOLDER / f"{name}.py"
    if name in names():
        kind = _imported(name, origin).METHOD
        _require_method(kind, name, f"{origin}: method '{name}' (kit/methods/{name}.py)")
        return kind
    if path.is_file():
        raise MethodError(
            f"{origin}: method '{name}' (kit/methods/{name}.py) has no METHOD",
            expected="a line `METHOD = <the class>` that begins at the left margin",
            found=f"{len(path.read_text('utf-8', errors='replace').splitlines())} lines without it",
            remedy="add it to the end of the file",
        )
    what, remedy = f"{origin}: no method '{name}'", f"add kit/methods/{name}.py"
    raise unknown(what, name, names(), remedy=remedy)


def _imported(name: str, origin: str) -> Any:
    """Import a method's file.

    Raises:
        MethodError: it is not valid Python, or something fails while it is imported.
    """
    what = f"{origin}: method '{name}' (kit/methods/{name}.py)"
    try:
        return importlib.import_module(f"kit.methods.{name}")
    except SyntaxError as error:
        file = Path(error.filename or f"{name}.py").name
        raise MethodError(
            f"{what} is not valid Python",
            expected="a file that Python can import",
            found=f"kit/methods/{file}:{error.lineno}: {error.msg}",
            remedy="correct the method's file",
        ) from None
    except KitError:
        raise
    except (Exception, SystemExit) as error:
        raise MethodError(
            f"{what} cannot be imported",
            expected=_expected(error),
            found=f"{line_of(error) or 'its imports'}: {type(error).__name__}: {str(error)[:200]}",
            remedy="correct the method's file",
        ) from None


def _expected(error: BaseException) -> str:
    """Return what an import should have met: for an unknown need, the needs that exist."""
    known = [need.name for need in dataclasses.fields(Needs)]
    if "Needs.__init__()" not in str(error):
        return "packages of the environment, modules of kit.methods, kit.model.likelihood, .hidden"
    given = str(error).split("'")[1:2]
    near = difflib.get_close_matches(given[0], known, n=1) if given else []
    return f"needs among {', '.join(known)}" + (f"; did you mean '{near[0]}'?" if near else "")


def _require_method(kind: Any, name: str, what: str) -> None:
    """Check the shape of METHOD.

    Raises:
        MethodError: it is no class of a method.
    """
    mark = f"class {kind.__name__}" if isinstance(kind, type) else MARK.strip()
    if fault := _fault(kind):
        raise MethodError(
            f"{what} is no method",
            expected=SHAPE,
            found=f"kit/methods/{name}.py:{_line(name, mark)}: {fault}",
            remedy="write it as in `Add a method` of kit/methods/README.md",
        )


def _fault(kind: Any) -> str | None:
    """Return what is wrong with METHOD, or None."""
    if not isinstance(kind, type):
        return f"METHOD is {str(kind)[:80]!r} of type {type(kind).__name__}, not a class"
    parameters = getattr(kind, "__dataclass_params__", None)
    if parameters is None:
        return f"{kind.__name__} is not a dataclass"
    if not parameters.frozen:
        return f"{kind.__name__} is a dataclass that is not frozen: a loss must keep no state"
    options = dataclasses.fields(kind)
    needs = getattr(kind, "needs", None)
    if needs is None or not isinstance(needs, Needs | property):
        return f"`needs` is {needs!r:.80}" if needs is not None else "there is no `needs`"
    if "needs" in [option.name for option in options]:
        return "`needs` would be an option: write `needs: ClassVar[Needs] = Needs(...)`"
    if open_ := [o.name for o in options if o.default is dataclasses.MISSING]:
        return f"option '{open_[0]}' has no default: write it behind `=`"
    for need, function in OWN.items():
        wanted = function.partition("(")[0]
        if getattr(needs, need, False) is True and not callable(getattr(kind, wanted, None)):
            return f"its needs declare `{need}`, but there is no `{function}`"
    loss = getattr(kind, "loss", None)
    if not callable(loss):
        return "there is no `loss`"
    try:
        inspect.signature(loss).bind(None, None)
    except TypeError as error:
        return f"`loss{inspect.signature(loss)}` cannot be called with a step: {error}"
    return None


def _line(name: str, mark: str) -> int:
    """Return the number of the first line of a method's file that begins with a mark."""
    lines = (FOLDER / f"{name}.py").read_text("utf-8", errors="replace").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(mark)), 1)
