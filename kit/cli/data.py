"""The verbs that fetch data and show it before any training. No logic here."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.options import FILE, with_fetch_flags, with_json, with_manifest
from kit.console import say, tell

if TYPE_CHECKING:
    from kit.experiment.manifest import Manifest
    from kit.plan.jobs import Plan


@contextmanager
def ready_plan(manifest: Path, verb: str, flags: dict[str, bool]) -> Iterator["Plan"]:
    """Lock cache and result, fetch everything that a manifest needs, and give its plan."""
    from kit.experiment.manifest_file import load_manifest

    with ready(load_manifest(manifest), verb, flags) as plan:
        yield plan


@contextmanager
def ready(loaded: "Manifest", verb: str, flags: dict[str, bool]) -> Iterator["Plan"]:
    """Do the same for a manifest that is read already."""
    from kit.fetch.settings import Settings
    from kit.plan.jobs import make_plan
    from kit.plan.names import require_names
    from kit.sources import datasets
    from kit.stages import run as stages
    from kit.stages.attempts import hold_result

    settings = Settings(**flags)
    # Nothing is downloaded for a manifest that cannot be run.
    require_names(loaded)
    datasets.require_lists(loaded, settings)
    with hold_result(loaded, verb):
        datasets.prepare(loaded, settings, say)
        plan = make_plan(loaded)
        stages.fetch(plan, settings)
        yield plan


def measured(loaded: "Manifest", verb: str, flags: dict[str, bool]) -> Path:
    """Train and evaluate what is missing of a manifest; return its result, which is not signed."""
    from kit.stages import run as stages
    from kit.stages.collect import collect

    with ready(loaded, verb, flags) as plan:
        for stage in (stages.finetune, stages.unlearn, stages.evaluate):
            stage(plan)
        result, _ = collect(plan)
    return result


@click.command()
@with_manifest
@with_fetch_flags
def fetch(manifest: Path, **flags: bool) -> None:
    """Download data and weights; verify every byte.

    Files are compared with the lists in checksums/. Complete files are not downloaded again.
    """
    with ready_plan(manifest, "fetch", flags):
        pass


@click.command()
@with_manifest
@click.option("--source", metavar="NAME", help="Only this source of the manifest.")
@click.option("--check", is_flag=True, help="Compare the lists with hub or folder instead.")
@click.option(
    "--accept-licences", is_flag=True, help="Accept the licences of all sources; do not ask."
)
def lock(manifest: Path, source: str | None, check: bool, accept_licences: bool) -> None:
    """Write the checksum lists of hub sources and of your own folders.

    Downloads and hashes every file of the hub sources that MANIFEST names. Of a folder, it hashes
    the files that the benchmark reads. It refuses to replace the list of a signed result.
    """
    from kit.experiment.manifest_file import load_manifest
    from kit.fetch.settings import Settings
    from kit.sources import locking
    from kit.stages.attempts import hold_result

    loaded = load_manifest(manifest)
    if check:
        return locking.check(loaded, tell, only=source)
    settings = Settings(accept_licences=accept_licences)
    with hold_result(loaded, "lock"):
        locking.lock(loaded, settings, tell, only=source)


@click.group()
def data() -> None:
    """Inspect the data, or carry it to an offline machine."""


@data.command()
@with_manifest
@click.option("--output", type=FILE, help="Folder for the contact sheet (default: in the cache).")
@with_json
def describe(manifest: Path, output: Path | None, as_json: bool) -> None:
    """Print counts and sample questions; draw a contact sheet.

    Needs fetched data and no training.
    """
    from kit import benchmarks
    from kit.describe.benchmark import describe as describe_benchmark
    from kit.describe.contact_sheet import write_sheet
    from kit.describe.text import render
    from kit.sources import datasets

    loaded = _verified(manifest)
    places = datasets.places(loaded)
    benchmark = benchmarks.load(loaded, places)
    sheet = write_sheet(loaded, places, benchmark, output)
    found = describe_benchmark(loaded, places, benchmark)
    tell(render(found, sheet=sheet.path, unreadable=sheet.unreadable, as_json=as_json))


@data.command()
@with_manifest
@click.option("--output", type=FILE, help="File to write (default: in the cache).")
def croissant(manifest: Path, output: Path | None) -> None:
    """Write Croissant metadata of the fetched sources."""
    from kit.describe.croissant import write_croissant
    from kit.sources import datasets

    loaded = _verified(manifest)
    for line in write_croissant(loaded, datasets.places(loaded), output):
        tell(line)


@data.command()
@click.argument("manifest", type=FILE)
@click.argument("target", type=FILE)
def export(manifest: Path, target: Path) -> None:
    """Pack all fetched sources into one tar file.

    `./run.sh data import` unpacks it on a machine without network.
    """
    from kit.fetch.bundle import export as write_bundle
    from kit.sources.datasets import exportable_sources

    write_bundle(exportable_sources(_verified(manifest)), target, tell)
    tell(f"wrote {target}")


@data.command(name="import")
@click.argument("manifest", type=FILE)
@click.argument("archive", type=FILE)
def import_(manifest: Path, archive: Path) -> None:
    """Unpack exported sources into the cache; verify every byte."""
    from kit.experiment.manifest_file import load_manifest
    from kit.fetch.bundle import import_ as read_bundle
    from kit.sources.datasets import import_target
    from kit.stages.attempts import hold_result

    loaded = load_manifest(manifest)
    with hold_result(loaded, "import"):
        read_bundle(archive, partial(import_target, loaded), tell)


def _verified(manifest: Path) -> "Manifest":
    """Load a manifest and verify the sources that it names."""
    from kit.experiment.manifest_file import load_manifest
    from kit.sources import datasets

    loaded = load_manifest(manifest)
    datasets.verify_sources(loaded)
    return loaded
