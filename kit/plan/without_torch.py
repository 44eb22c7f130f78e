"""A plan before the environment exists: a stand-in for torch and the libraries of models.

Files of methods and attacks import torch and name its classes. A plan reads their options and what
they declare, and computes nothing. Every name of the stand-in is a class without content, which may
be inherited from, annotated with, and used as a decorator that changes nothing.
"""

import re
import sys
from collections.abc import MutableSequence, Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from kit.artifacts import PROJECT

LIBRARIES = frozenset({"torch", "transformers", "peft", "bitsandbytes", "safetensors", "vllm"})
LOCK = PROJECT / "docker" / "requirements.cpu.lock"
PIN = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)


class _Name(type):
    """The class of everything that the stand-in holds."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(name, (), {})

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        if len(arguments) == 1 and callable(arguments[0]) and not isinstance(arguments[0], _Name):
            return arguments[0]  # a decorator
        return cls


class _StandIn(ModuleType):
    __path__: MutableSequence[str] = []  # noqa: RUF012 - a package without a folder

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(name, (), {})


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in LIBRARIES:
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: a name exists when it is asked for."""


def stand_in() -> bool:
    """Let this process plan without torch, where it is not installed; return whether it does."""
    if not is_standing_in() and find_spec("torch") is None:
        sys.meta_path.insert(0, _Finder())
    return is_standing_in()


def is_standing_in() -> bool:
    """Return whether this process has the stand-in in place of torch."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


@cache
def locked_versions() -> dict[str, str]:
    """Return the versions that the environment will have, of its lock."""
    return dict(PIN.findall(LOCK.read_text(encoding="utf-8")))
