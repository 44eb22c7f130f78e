"""Benchmarks, one folder or file each: from published files to records, splits and table layout.

A benchmark defines `load(places, manifest) -> Benchmark` and `PROTOCOL`. Everything else is shared.
"""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from kit.benchmarks import probes, settings
from kit.benchmarks.leaks import require_apart
from kit.benchmarks.parquet import Place
from kit.benchmarks.protocol import Protocol
from kit.benchmarks.records import Benchmark
from kit.benchmarks.validation import with_one_part
from kit.errors import DataError, ManifestError, unknown
from kit.experiment.inherited import naming_the_file
from kit.experiment.manifest import Manifest


def names() -> list[str]:
    """Return the names of all benchmarks: the modules and folders here that define `PROTOCOL`."""
    here = Path(__file__).parent
    files = {path.stem: path for path in here.glob("*.py")}
    files |= {path.parent.name: path for path in here.glob("*/__init__.py")}
    return sorted(n for n, p in files.items() if "\nPROTOCOL = " in p.read_text(encoding="utf-8"))


def require(name: str) -> None:
    """Check that a loader exists.

    Raises:
        ManifestError: there is no such loader.
    """
    if name not in names():
        what, remedy = f"no benchmark '{name}'", "add kit/benchmarks/<name>.py"
        raise unknown(what, name, names(), remedy=remedy)


def require_settings(manifest: Manifest) -> None:
    """Check everything that a manifest sets of its benchmark, without any data.

    Raises:
        ManifestError: there is no such loader, target, percentage or option, or no source of the
            name that the loader reads.
    """
    with naming_the_file(manifest, "benchmark.loader"):
        loader = module_of(manifest.benchmark.loader)
    settings.require_settings(loader, manifest)


def load(manifest: Manifest, places: Mapping[str, Place]) -> Benchmark:
    """Read a benchmark and make the splits of a manifest.

    Args:
        manifest: it names the loader, its options and the split.
        places: where the files of each source are, by source name.

    Raises:
        DataError: the files are not in the published format, something forgotten is also taught as
            retained, or a column cannot be divided into a reported and a validation part.
        ManifestError: an option, target, split or source does not exist, or a claim is about a
            column that this data does not have.
    """
    asked = {probe.source for probe in manifest.probes}
    own = {name: place for name, place in places.items() if name not in asked}
    require_settings(manifest)
    try:
        benchmark: Benchmark = module_of(manifest.benchmark.loader).load(own, manifest)
        require_apart(benchmark)
        if manifest.tune is not None:
            benchmark = with_one_part(benchmark, manifest.tune, manifest.split.seed)
        benchmark = probes.with_records(benchmark, places, manifest)
    except DataError as error:
        raise _with_own_paths(error, manifest, places) from error
    for claim in manifest.claims:
        for part in (claim.part, claim.other_part):
            if why := benchmark.absent.get((str(part), claim.column)):
                raise ManifestError(
                    f"claim {claim.id} is about the column '{claim.column}' of '{part}'",
                    expected="a column that this data has",
                    found=why,
                    remedy="remove the claim (`claims = []` removes those of a manifest that yours "
                    "extends), or add the data",
                )
    return benchmark


def _with_own_paths(error: DataError, manifest: Manifest, places: Mapping[str, Place]) -> DataError:
    """Return an error that names the user's folder in place of the folder of links to its files.

    Files that are written into the folder of links are ignored, so a message must not name it.
    """
    own = {str(places[s.name].path): s.folder for s in manifest.sources if s.folder}

    def named(part: object) -> object:
        for links, folder in own.items():
            part = part.replace(links, str(folder)) if isinstance(part, str) else part
        return part

    return DataError(
        str(named(error.what)),
        expected=named(error.expected),
        found=named(error.found),
        remedy=error.remedy and str(named(error.remedy)),
    )


def files(manifest: Manifest, source: str, root: Path) -> frozenset[str] | None:
    """Return the files that the loader reads of a source in a folder; None if it reads all.

    Of the source of a probe, all are read.

    Args:
        source: the name of the source.
        root: its folder. Names are relative to it.

    Raises:
        DataError: the files are not what the loader reads.
    """
    if source in {probe.source for probe in manifest.probes}:
        return None
    read = getattr(module_of(manifest.benchmark.loader), "files", None)
    found: frozenset[str] | None = read(manifest, source, root) if read else None
    return found


def protocol(name: str, version: int | None = None) -> Protocol:
    """Return a benchmark's protocol.

    Args:
        version: that of a stored result; None for the newest.

    Raises:
        ManifestError: there is no such benchmark, or it never had this version.
    """
    module = module_of(name)
    newest: Protocol = module.PROTOCOL
    earlier: Sequence[Protocol] = getattr(module, "EARLIER", ())
    known = {each.version: each for each in (*earlier, newest)}
    chosen = newest.version if version is None else version
    if chosen not in known:
        raise ManifestError(
            f"this version of the kit has no version {chosen} of the protocol of '{name}'",
            expected=f"version {' or '.join(map(str, sorted(known)))}",
            found=f"version {chosen}",
            remedy="use a newer version of the kit, or the one that made the result",
        )
    return known[chosen]


def planned_protocol(manifest: Manifest) -> Protocol:
    """Return the newest protocol of a manifest's benchmark, with a column for each of its probes.

    Raises:
        ManifestError: there is no such benchmark or probe.
    """
    return probes.with_columns(protocol(manifest.benchmark.loader), manifest.probes)


def module_of(name: str) -> ModuleType:
    """Return the module of a benchmark.

    Raises:
        ManifestError: there is no such benchmark.
    """
    require(name)
    return importlib.import_module(f"kit.benchmarks.{name}")
