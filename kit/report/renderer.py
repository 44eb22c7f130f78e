"""Which code renders the pages of a result, as one digest.

A result states the renderer that made its pages. Where it is this kit's, a verifier can make every
page again and compare the bytes; another renderer may word the same numbers in another way.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from kit.artifacts import PROJECT
from kit.digests import read_code, sha256_file, sha256_value

# Everything in this room renders; so does all that it imports.
ROOTS = ("kit.report",)
# Libraries that write text into a page, or decide how a number is written.
LIBRARIES = ("jinja2", "markupsafe", "pandas")
# A module that imports others by name can reach every module of its package.
_BY_NAME = re.compile(r"\bimport_module\(")


@cache
def renderer_digest() -> str:
    """Return the digest of the code, the templates and the libraries that make a page.

    It covers the whole import closure of the report within kit/, found in the sources, and the
    files that lie beside these modules. Comments, docstrings and layout do not change it, nor does
    the version of Python.
    """
    code = rendering_code()
    return sha256_value(
        {
            "code": code,
            "files": {
                path.relative_to(PROJECT).as_posix(): sha256_file(path)
                for path in _files_beside(code)
            },
            "libraries": {name: version(name) for name in LIBRARIES},
        }
    )


def rendering_code() -> dict[str, str]:
    """Return {module: digest of its code} of the report's import closure within kit/, sorted."""
    sources = _sources()
    found: dict[str, str] = {}
    waiting = [name for root in ROOTS for name in _within(root, sources)]
    while waiting:
        module = waiting.pop()
        if module not in found:
            text = sources[module].read_text(encoding="utf-8")
            # One tree at a time: all of them together take 50 MB.
            found[module], imports = read_code(text)
            waiting += (name for name in _names(module, imports, sources) if name in sources)
            if _BY_NAME.search(text):
                waiting += _within(_package(module, sources), sources)
    return dict(sorted(found.items()))


def _sources() -> dict[str, Path]:
    """Return {module: file} of all modules of the kit."""
    paths = (path.relative_to(PROJECT) for path in (PROJECT / "kit").rglob("*.py"))
    return {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): PROJECT / path
        for path in paths
    }


def _within(package: str, sources: Iterable[str]) -> list[str]:
    """Return a package (or module) and all modules below it."""
    return [name for name in sources if name == package or name.startswith(f"{package}.")]


def _package(module: str, sources: Mapping[str, Path]) -> str:
    is_package = sources[module].name == "__init__.py"
    return module if is_package else module.rpartition(".")[0]


def _names(
    module: str, imports: Iterable[ast.Import | ast.ImportFrom], sources: Mapping[str, Path]
) -> Iterator[str]:
    """Yield every dotted name that the imports of a module name, and the packages of each."""
    package = _package(module, sources).split(".")
    for node in imports:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        for name in names:
            dotted = name.split(".")
            yield from (".".join(dotted[:count]) for count in range(1, len(dotted) + 1))


def _files_beside(modules: Iterable[str]) -> list[Path]:
    """Return the templates and tables that lie in the packages of the modules."""
    sources = _sources()
    packages = {sources[name].parent for name in modules} - {PROJECT / "kit"}
    return sorted(
        path
        for package in packages
        for path in (*package.glob("*"), *package.glob("templates/*"))
        if path.is_file() and path.suffix not in (".py", ".pyc")
    )
