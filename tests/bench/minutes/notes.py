"""What a step found, written to its file after every measurement."""

import json
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONGEST_MESSAGE = 600  # characters


class Notes:
    """Collects results by name. A step that is killed keeps what it has noted."""

    def __init__(self, path: Path) -> None:
        self._path, self.found = path, {}

    def note(self, name: str, value: Any) -> None:
        """Add one result, as JSON."""
        self.found[name] = value
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(self.found), encoding="utf-8")
        os.replace(partial, self._path)

    def attempt(self, name: str, work: Callable[[], Any]) -> Any:
        """Note what `work` returns and its seconds, or its error as text; return what it returns.

        Returns None where it fails: the next measurement goes on.
        """
        started = time.monotonic()
        try:
            value = work()
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            failed = f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE]
            self.note(name, {"failed": failed, "where": f"{last.filename}:{last.lineno}"})
            value = None
        else:
            self.note(name, value)
        print(f"{name}: {time.monotonic() - started:.1f} s, {self.found[name]}", flush=True)
        _release()
        return value


def failures(found: Any, path: str = "") -> list[str]:
    """Return the failed measurements and the checks that are not as expected, one line each."""
    if not isinstance(found, dict):
        return []
    lines = []
    if "failed" in found:
        lines.append(f"{path}: {found['failed']}")
    if found.get("as_expected") is False:
        lines.append(f"{path}: not as expected")
    return lines + [
        line
        for name, each in found.items()
        for line in failures(each, f"{path}/{name}" if path else str(name))
    ]


def _release() -> None:
    """Give back the GPU memory that nothing refers to; never fail."""
    try:
        import gc

        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    except Exception as error:  # a GPU that failed once fails in every call
        print(f"memory was not released: {error}", flush=True)
