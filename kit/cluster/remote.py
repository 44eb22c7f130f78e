"""What runs in Ray's own workers: they supervise interpreters of the kit. Standard library only.

Ray's environment holds no package of the experiment. `kit-python` in its folder names the Python
that does.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT
from kit.cluster.interpreter import Interpreter, Reply, kit_environment


class Host:
    """An actor of Ray: keeps one interpreter, and with it an engine, from request to request."""

    def __init__(self, cache: str, token: str, given: dict[str, str], module: str) -> None:
        self._interpreter = Interpreter(_python(), cache, token, _this_node(), given, module)

    def ask(self, line: str) -> Reply:
        """Do a piece of work."""
        return self._interpreter.ask(line)

    def close(self) -> None:
        """End the interpreter."""
        self._interpreter.close()


def do_once(cache: str, token: str, given: dict[str, str], module: str, line: str) -> Reply:
    """Do one piece of work in an interpreter that ends with it."""
    interpreter = Interpreter(_python(), cache, token, _this_node(), given, module)
    try:
        return interpreter.ask(line)
    finally:
        interpreter.close()


def describe(note: str) -> dict[str, Any]:
    """Return what `kit.cluster.nodes` says about this node, or why it says nothing.

    Args:
        note: path of the driver's note in the shared cache.
    """
    done = subprocess.run(
        [_python(), "-P", "-m", "kit.cluster.nodes", note],
        env=kit_environment(Path(note).parent, {}),
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"fault": done.stderr.strip().splitlines()[-1:]}
    return dict(json.loads(done.stdout))


def _python() -> str:
    return Path(sys.prefix, "kit-python").read_text(encoding="utf-8")


def _this_node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())
