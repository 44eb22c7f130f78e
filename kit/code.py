"""The code that decides a result: some entry modules, and everything that they import.

A new module counts as soon as it is imported; no list of files has to be kept. Comments, docstrings
and layout do not count. What decides no number of a job is named in `OUTSIDE`.
"""

import ast
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from kit.artifacts import PROJECT
from kit.digests import read_code, sha256_file

ROOT = PROJECT
# Rooms and modules that decide no number of a job, each with the reason.
OUTSIDE = {
    "kit": "the version",
    "kit.errors": "messages",
    "kit.failures": "messages",
    "kit.console": "progress",
    "kit.names": "how names are printed",
    "kit.gpus": "which devices there are; the job's record names the one that was used",
    "kit.artifacts": "where files lie",
    "kit.state_files": "refuses damaged files of the cache",
    "kit.digests": "pinned by every signed digest",
    "kit.code": "pinned by them, too",
    "kit.experiment.manifest": "its values are in the digest",
    "kit.experiment.options": "refuses values; those that it lets through are in the digest",
    "kit.experiment.settings": "its values are in the digest",
    "kit.experiment.systems": "its names are in the digest",
    "kit.methods.needs": "what a method declares is in the digest",
    "kit.methods.options": "refuses values; those that it lets through are in the digest",
    "kit.methods.registry": "finds a method's file, which is in the digest, and checks it",
    "kit.plan": "what it decides is in the digest",
    "kit.sources": "delivers the bytes whose checksums are in the digest",
    "kit.result.layout": "file names",
}
NOT_DATA = {".py", ".pyc", ".md"}


def code_of(entries: Iterable[str], outside: Collection[str] = OUTSIDE) -> dict[str, str]:
    """Return {file: digest} of the modules and of everything that they lead to by imports.

    Data files beside a module of a room (tables, templates) count by their bytes. Each file is read
    once per process.

    Args:
        entries: names of modules or packages, such as `kit.training.worker`.
        outside: modules and packages that are not followed.
    """
    return dict(_code_of(ROOT, tuple(entries), frozenset(outside)))


@lru_cache(maxsize=1024)
def _code_of(root: Path, entries: Iterable[str], outside: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting, seen = list(entries), set(outside)
    while waiting:
        module = waiting.pop()
        if module in seen or _is_within(module, outside):
            continue
        seen.add(module)
        path = path_of(module)
        if path is None:
            continue
        digest, imported, data = _read(path)
        found |= {path.relative_to(root).as_posix(): digest, **data}
        waiting += imported
    return found


def path_of(module: str) -> Path | None:
    """Return the file of a module or package of the kit, None where there is none."""
    if module.partition(".")[0] != "kit":
        return None
    path = ROOT.joinpath(*module.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


def modules_in(package: str) -> tuple[str, ...]:
    """Return a module or package and, of a package, all modules directly in it."""
    path = path_of(package)
    if path is None or path.name != "__init__.py":
        return (package,)
    inside = sorted(path.parent.glob("[a-z]*.py"))
    return (package, *(f"{package}.{file.stem}" for file in inside))


def modules_under(room: str) -> tuple[str, ...]:
    """Return a package and all modules and packages below it, sorted."""
    folder = ROOT.joinpath(*room.split("."))
    paths = (path.relative_to(ROOT).with_suffix("") for path in folder.rglob("*.py"))
    return tuple(sorted(".".join(path.parts).removesuffix(".__init__") for path in paths))


def _is_within(module: str, packages: Collection[str]) -> bool:
    parts = module.split(".")
    return any(".".join(parts[:length]) in packages for length in range(2, len(parts)))


@lru_cache(maxsize=1024)
def _read(path: Path) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """Return a module's digest, the modules that it imports, and the data files beside it."""
    data = {file.relative_to(ROOT).as_posix(): sha256_file(file) for file in _data_beside(path)}
    digest, imports = read_code(path.read_text(encoding="utf-8"))
    return digest, tuple(name for node in imports for name in _names(node)), data


def _data_beside(path: Path) -> Iterator[Path]:
    """Yield the data files of a module's room; the ground floor has none."""
    if path.parent == ROOT / "kit":
        return
    for file in sorted(path.parent.rglob("*")):
        code = any((parent / "__init__.py").is_file() for parent in _between(file, path.parent))
        parts = file.relative_to(path.parent).parts
        if file.is_file() and file.suffix not in NOT_DATA and not code and not _is_left(parts):
            yield file


def _is_left(parts: Iterable[str]) -> bool:
    """Return whether an editor, a file browser or Python left a file: it is no data of a room."""
    return any(
        part.startswith(".") or part.endswith("~") or part == "__pycache__" for part in parts
    )


def _between(file: Path, folder: Path) -> Iterator[Path]:
    """Yield the folders from a file up to `folder`, which is left out."""
    for parent in file.parents:
        if parent == folder:
            return
        yield parent


def _names(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield the dotted names that an import may mean, and the packages that Python runs first.

    Imports within the kit are absolute; a test of the imports refuses others.
    """
    base = "" if isinstance(node, ast.Import) else f"{node.module}."
    for alias in node.names:
        parts = f"{base}{alias.name}".split(".")
        yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
