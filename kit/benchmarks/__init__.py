"""Benchmarks, one file each: published files to records and splits. Everything after is shared."""

import difflib
import importlib
from pathlib import Path

from kit.errors import ManifestError
from kit.manifest import Manifest
from kit.records import Benchmark


def names() -> list[str]:
    """Return the benchmarks there are: the files of this folder."""
    return sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem != "__init__")


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


def load(manifest: Manifest, root: Path) -> Benchmark:
    """Read the dataset under `root` and make the manifest's splits."""
    require(manifest.benchmark.loader)
    module = importlib.import_module(f"kit.benchmarks.{manifest.benchmark.loader}")
    benchmark: Benchmark = module.load(root, manifest)
    return benchmark
