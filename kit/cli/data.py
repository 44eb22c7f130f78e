"""The verbs that fetch data and show it before any training. No logic here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.options import (
    FILE,
    LOCAL,
    Executor,
    with_changes,
    with_fetch_flags,
    with_json,
    with_manifest,
    with_output,
)
from kit.console import tell, warn

if TYPE_CHECKING:
    from kit.experiment.manifest import Manifest
    from kit.plan.jobs import Plan
    from kit.stages.progress import Progress


@contextmanager
def ready(
    loaded: "Manifest",
    verb: str,
    flags: dict[str, bool],
    later: Sequence[str] = (),
    executor: Executor = LOCAL,
) -> Iterator[tuple["Plan", "Progress"]]:
    """Lock cache and result, fetch everything that a manifest needs, and give its plan.

    Args:
        later: the stages that the caller runs after `fetch`; it says when each begins.
    """
    from kit.fetch.settings import Settings
    from kit.plan.decided import keep_inputs
    from kit.plan.jobs import make_plan
    from kit.plan.names import require_names
    from kit.sources import datasets
    from kit.stages import run as stages
    from kit.stages.attempts import hold_result
    from kit.stages.progress import progress

    settings = Settings(**flags)
    # Nothing is downloaded for a manifest that cannot be run.
    require_names(loaded)
    executor.require_possible(loaded)
    datasets.require_lists(loaded, settings)
    with hold_result(loaded, verb), progress(("fetch", *later)) as shown:
        datasets.prepare(loaded, settings, warn)  # may ask a question
        plan = make_plan(loaded)
        keep_inputs(plan)
        shown.expect(plan, local=executor == LOCAL)
        shown.begin("fetch")
        stages.fetch(plan, settings)
        yield plan, shown


def measured(
    loaded: "Manifest", verb: str, flags: dict[str, bool], executor: Executor = LOCAL
) -> Path:
    """Run all stages that are missing of a manifest; return its result, which is not signed."""
    from kit.stages import run as stages
    from kit.stages.attack import attack
    from kit.stages.collect import collect

    steps = {
        "finetune": stages.finetune, "unlearn": stages.unlearn, "evaluate": stages.evaluate,
    } | ({"attack": attack} if loaded.attack else {})  # fmt: skip
    with ready(loaded, verb, flags, [*steps, "report"], executor) as (plan, shown):
        with executor.work(loaded) as work:
            for name, stage in steps.items():
                shown.begin(name)
                stage(plan, work)
        shown.begin("report")
        result, _ = collect(plan)
    return result


@click.command()
@with_manifest
@with_fetch_flags
@with_output
def fetch(manifest: Path, changes: tuple[str, ...], **flags: bool) -> None:
    """Download data and weights; verify every byte.

    Files are compared with the lists in checksums/. Complete files are not downloaded again.
    """
    from kit.experiment.manifest_file import load_manifest

    with ready(load_manifest(manifest, changes=changes), "fetch", flags):
        pass


@click.command()
@with_manifest
@click.option("--source", metavar="NAME", help="Only this source of the manifest.")
@click.option("--check", is_flag=True, help="Compare the lists with hub or folder instead.")
@click.option(
    "--accept-licences", is_flag=True, help="Accept the licences of all sources; do not ask."
)
def lock(
    manifest: Path,
    changes: tuple[str, ...],
    source: str | None,
    check: bool,
    accept_licences: bool,
) -> None:
    """Write the checksum lists of hub sources and of your own folders.

    Downloads and hashes every file of the hub sources that MANIFEST names. Of a folder, it hashes
    the files that the benchmark reads. It refuses to replace the list of a signed result.
    """
    from kit.experiment.manifest_file import load_manifest
    from kit.fetch.settings import Settings
    from kit.sources import locking
    from kit.stages.attempts import hold_result

    loaded = load_manifest(manifest, changes=changes)
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
def describe(manifest: Path, changes: tuple[str, ...], output: Path | None, as_json: bool) -> None:
    """Print counts and sample questions; draw a contact sheet.

    Needs fetched data and no training.
    """
    from kit import benchmarks
    from kit.describe.benchmark import describe as describe_benchmark
    from kit.describe.contact_sheet import write_sheet
    from kit.describe.text import render
    from kit.sources import datasets

    loaded = _verified(manifest, changes)
    places = datasets.places(loaded)
    benchmark = benchmarks.load(loaded, places)
    sheet = write_sheet(loaded, places, benchmark, output)
    found = describe_benchmark(loaded, places, benchmark)
    tell(render(found, sheet=sheet.path, unreadable=sheet.unreadable, as_json=as_json))


@data.command()
@with_manifest
@click.option("--output", type=FILE, help="File to write (default: in the cache).")
def croissant(manifest: Path, changes: tuple[str, ...], output: Path | None) -> None:
    """Write Croissant metadata of the fetched sources."""
    from kit.describe.croissant import write_croissant
    from kit.sources import datasets

    loaded = _verified(manifest, changes)
    for line in write_croissant(loaded, datasets.places(loaded), output):
        tell(line)


@data.command()
@click.argument("manifest", type=FILE)
@click.argument("target", type=FILE)
@with_changes
def export(manifest: Path, target: Path, changes: tuple[str, ...]) -> None:
    """Pack all fetched sources into one tar file.

    `./run.sh data import` unpacks it on a machine without network.
    """
    from kit.experiment.manifest_file import load_manifest
    from kit.fetch.bundle import export as write_bundle
    from kit.sources.bundles import exportable_sources

    sources = exportable_sources(load_manifest(manifest, changes=changes))
    _verified(manifest, changes)
    write_bundle(sources, target, tell)
    tell(f"wrote {target}")


@data.command(name="import")
@click.argument("manifest", type=FILE)
@click.argument("archive", type=FILE)
@with_changes
def import_(manifest: Path, archive: Path, changes: tuple[str, ...]) -> None:
    """Unpack exported sources into the cache; verify every byte."""
    from kit.experiment.manifest_file import load_manifest
    from kit.fetch.bundle import import_ as read_bundle
    from kit.sources.bundles import import_target
    from kit.stages.attempts import hold_result

    loaded = load_manifest(manifest, changes=changes)
    with hold_result(loaded, "import"):
        read_bundle(archive, partial(import_target, loaded), tell)


def _verified(manifest: Path, changes: Sequence[str]) -> "Manifest":
    """Load a manifest and verify the sources that it names."""
    from kit.experiment.manifest_file import load_manifest
    from kit.sources import datasets

    loaded = load_manifest(manifest, changes=changes)
    datasets.verify_sources(loaded)
    return loaded
