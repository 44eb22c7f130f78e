"""Benchmarks, one file each: published files to records, splits and the tables' layout.

A file has `load(places, manifest) -> Benchmark` and `PROTOCOL`. Everything after is shared.
"""

import difflib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.errors import ManifestError
from kit.manifest import Manifest
from kit.parquet import Place
from kit.protocol import Protocol
from kit.records import Benchmark


def names() -> list[str]:
    """Return the benchmarks there are: the files of this folder that have a protocol."""
    files = sorted(p for p in Path(__file__).parent.glob("*.py") if p.stem != "__init__")
    return [p.stem for p in files if "\nPROTOCOL = " in p.read_text(encoding="utf-8")]


def require(name: str) -> None:
    """Check that a loader exists.

    Raises:
        ManifestError: there is no such loader.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        raise ManifestError(
            f"no benchmark '{name}'",
            expected=f"one of {', '.join(names())}",
            remedy=f"did you mean '{near[0]}'?" if near else "add kit/benchmarks/<name>.py",
        )


def load(manifest: Manifest, places: Mapping[str, Place]) -> Benchmark:
    """Read the sources, which lie at `places` by name, and make the manifest's splits."""
    benchmark: Benchmark = _module(manifest.benchmark.loader).load(places, manifest)
    return benchmark


def protocol(name: str) -> Protocol:
    """Return a benchmark's protocol.

    Raises:
        ManifestError: there is no such benchmark.
    """
    found: Protocol = _module(name).PROTOCOL
    return found


def _module(name: str) -> Any:
    require(name)
    return importlib.import_module(f"kit.benchmarks.{name}")
