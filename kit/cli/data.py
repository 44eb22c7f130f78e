"""The verbs that fetch data and show it before any training; no logic, as in kit.cli.verbs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kit.experiment.manifest import Manifest
    from kit.plan.jobs import Plan

DEFAULT = "manifests/smoke.toml"


def with_manifest(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the MANIFEST argument."""
    argument = click.argument("manifest", type=click.Path(path_type=Path), default=DEFAULT)
    return argument(command)


def with_fetch_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags of a fetch; it hands them to `kit.fetch.settings.Settings`."""
    for flag, said in (
        ("--accept-licences", "Accept the licences of all sources without being asked."),
        ("--allow-unlocked", "Run without committed checksum lists; the result says so."),
        ("--offline", "Open no connection: what is not there is an error."),
    ):
        command = click.option(flag, is_flag=True, help=said)(command)
    return command


@contextmanager
def fetched(manifest: Path, verb: str, flags: dict[str, bool]) -> Iterator["Plan"]:
    """Hold cache and result, bring what the plan itself needs, then data and weights."""
    from kit.experiment.manifest_file import load_manifest
    from kit.fetch.settings import Settings
    from kit.plan.jobs import make_plan
    from kit.plan.names import require_names
    from kit.sources import datasets
    from kit.stages import run as stages
    from kit.stages.attempts import working

    loaded, settings = load_manifest(manifest), Settings(**flags)
    # No byte is brought for a manifest that cannot be run.
    require_names(loaded)
    datasets.require_lists(loaded, settings)
    with working(loaded, verb):
        datasets.prepare(loaded, settings, stages.say)
        plan = make_plan(loaded)
        stages.fetch(plan, settings)
        yield plan


@click.command()
@with_manifest
@with_fetch_flags
def fetch(manifest: Path, **flags: bool) -> None:
    """Bring data and weights and verify every byte against checksums/."""
    with fetched(manifest, "fetch", flags):
        pass


@click.command()
@with_manifest
@click.option("--source", help="Only this source of the manifest.")
@click.option("--check", is_flag=True, help="Hold the committed lists against the hub instead.")
@click.option("--accept-licences", is_flag=True, help="Accept the licences without being asked.")
def lock(manifest: Path, source: str | None, check: bool, accept_licences: bool) -> None:
    """Bring and hash every file of hub sources and write their checksum lists."""
    from kit.experiment.manifest_file import load_manifest
    from kit.fetch.settings import Settings
    from kit.sources import locking
    from kit.stages.attempts import working

    loaded = load_manifest(manifest)
    if check:
        return locking.check(loaded, click.echo, only=source)
    settings = Settings(accept_licences=accept_licences)
    with working(loaded, "lock"):
        locking.lock(loaded, settings, click.echo, only=source)


@click.group()
def data() -> None:
    """Look at the data before any training, or carry it to a machine without network."""


@data.command()
@with_manifest
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the contact sheet.")
@click.option("--json", "as_json", is_flag=True, help="Print the description as JSON.")
def describe(manifest: Path, output: Path | None, as_json: bool) -> None:
    """Print sets, counts, sample questions; draw some images."""
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
    click.echo(render(found, sheet=sheet.path, unreadable=sheet.unreadable, as_json=as_json))


@data.command()
@with_manifest
@click.option("--output", type=click.Path(path_type=Path), help="File (default: in the cache).")
def croissant(manifest: Path, output: Path | None) -> None:
    """Write Croissant metadata of the checksum lists."""
    from kit.describe.croissant import write_croissant
    from kit.sources import datasets

    loaded = _verified(manifest)
    for line in write_croissant(loaded, datasets.places(loaded), output):
        click.echo(line)


@data.command()
@with_manifest
@click.argument("target", type=click.Path(path_type=Path))
def export(manifest: Path, target: Path) -> None:
    """Write all fetched sources into one tar, for a machine without network."""
    from kit.fetch.bundle import export as write_bundle
    from kit.sources.datasets import exportable_sources

    write_bundle(exportable_sources(_verified(manifest)), target, click.echo)
    click.echo(f"wrote {target}")


@data.command(name="import")
@with_manifest
@click.argument("archive", type=click.Path(path_type=Path))
def import_(manifest: Path, archive: Path) -> None:
    """Bring the sources of a tar into the cache, every byte verified."""
    from kit.experiment.manifest_file import load_manifest
    from kit.fetch.bundle import import_ as read_bundle
    from kit.sources.datasets import import_target
    from kit.stages.attempts import working

    loaded = load_manifest(manifest)
    with working(loaded, "import"):
        read_bundle(archive, partial(import_target, loaded), click.echo)


def _verified(manifest: Path) -> "Manifest":
    """Load a manifest whose sources are there and right."""
    from kit.experiment.manifest_file import load_manifest
    from kit.sources import datasets

    loaded = load_manifest(manifest)
    datasets.verify_sources(loaded)
    return loaded
