"""A plan before the environment exists: a stand-in for torch and the other large packages.

Files of methods, attacks and metrics import torch, numpy or pandas and name their classes. A plan
reads their options and what they declare, and computes nothing. Every name of the stand-in is a
class without content, which may be inherited from, annotated with, and used as a decorator that
changes nothing.
"""

import re
import sys
from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from kit.artifacts import PROJECT
from kit.errors import EnvironmentFault

LIBRARIES = frozenset(
    "torch transformers peft bitsandbytes safetensors vllm numpy pandas pyarrow PIL cryptography "
    "bcrypt cloudpickle".split()
)
ANY_PACKAGE = DistributionFinder.Context()
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


class _Locked(Distribution):
    """What Python says of a package that is not there: the version that the lock names."""

    def __init__(self, package: str) -> None:
        self._package = package

    def read_text(self, filename: str) -> str | None:
        release = locked_versions()[self._package]
        return f"Name: {self._package}\nVersion: {release}\n" if filename == "METADATA" else None

    def locate_file(self, path: object) -> Any:
        raise FileNotFoundError(path)


class _Finder(DistributionFinder, Loader):
    def __init__(self, libraries: frozenset[str]) -> None:
        self.libraries = libraries

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self.libraries:
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def find_distributions(
        self, context: DistributionFinder.Context = ANY_PACKAGE
    ) -> Iterator[Distribution]:
        if context.name in locked_versions():
            yield _Locked(context.name)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: a name exists when it is asked for."""


@contextmanager
def without_packages() -> Iterator[None]:
    """Let this process continue without the large packages if torch is not installed.

    Those that are installed are used. The stand-in is in place until the process ends.

    Raises:
        EnvironmentFault: something was computed with a package that is not there.
    """
    if not is_standing_in() and find_spec("torch") is None:
        missing = frozenset(name for name in LIBRARIES if find_spec(name) is None)
        sys.meta_path.insert(0, _Finder(missing))
    try:
        yield
    except (AttributeError, TypeError, ValueError) as error:
        if not is_standing_in():
            raise
        raise EnvironmentFault(
            "this needs packages that are not installed yet",
            expected=", ".join(sorted(LIBRARIES)),
            found=f"{type(error).__name__}: {error}",
            remedy="run `./run.sh doctor`, which builds the whole environment",
        ) from error


def is_standing_in() -> bool:
    """Return whether this process has the stand-in in place of torch."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


@cache
def locked_versions() -> dict[str, str]:
    """Return the versions that the environment will have, of its lock."""
    return dict(PIN.findall(LOCK.read_text(encoding="utf-8")))
