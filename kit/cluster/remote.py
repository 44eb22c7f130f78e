"""What runs in Ray's own workers: they supervise interpreters of the kit. Standard library only.

Ray's environment holds no package of the experiment. `kit-python` in its folder names the Python
that does.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT, cache_root
from kit.cluster.interpreter import Interpreter, Reply, kit_environment
from kit.cluster.places import CHECK_S, opened
from kit.cluster.shared_folder import tidy as tidy_cache
from kit.errors import KitError


class Host:
    """An actor of Ray: keeps one interpreter, and with it an engine, from request to request."""

    def __init__(self, where: str, token: str, given: dict[str, str], module: str) -> None:
        place = opened(where)
        self._interpreter = Interpreter(_python(), place, token, _this_node(), given, module)

    def ask(self, line: str, lent: dict[str, str]) -> Reply:
        """Do a piece of work."""
        return self._interpreter.ask(line, lent)

    def close(self) -> None:
        """End the interpreter."""
        self._interpreter.close()


def do_once(
    where: str, token: str, given: dict[str, str], module: str, line: str, lent: dict[str, str]
) -> Reply:
    """Do one piece of work in an interpreter that ends with it."""
    interpreter = Interpreter(_python(), opened(where), token, _this_node(), given, module)
    try:
        return interpreter.ask(line, lent)
    finally:
        interpreter.close()


def describe(where: str, note: str) -> dict[str, Any]:
    """Return what `kit.cluster.nodes` says about this node, or why it says nothing.

    Args:
        where: the place of the cluster's artifacts.
        note: of the driver, in that place.
    """
    done = subprocess.run(
        [_python(), "-P", "-m", "kit.cluster.nodes"],
        env=kit_environment(cache_root(), {}),
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"fault": done.stderr.strip().splitlines()[-1:]}
    return {**json.loads(done.stdout), "shared": _read(where, note)}


def _read(where: str, note: str) -> str:
    """Return what this node reads in a note, or why it cannot."""
    try:
        return opened(where, CHECK_S).read_note(note)
    except KitError as error:
        return ": ".join(filter(None, [error.what, str(error.found or "")]))
    except OSError as error:
        return f"{note}: {error.strerror}"


def tidy(*tokens: str) -> None:
    """Remove what killed interpreters left on this node, which has a cache of its own."""
    tidy_cache(cache_root(), tokens)


def _python() -> str:
    return Path(sys.prefix, "kit-python").read_text(encoding="utf-8")


def _this_node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())
