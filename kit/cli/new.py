"""The verb `new`: the files with which an author begins. No logic here."""

from typing import TYPE_CHECKING

import click

from kit.cli.options import DEFAULT_MANIFEST
from kit.console import tell

if TYPE_CHECKING:
    from kit.scaffolds.files import Scaffold


@click.group()
def new() -> None:
    """Write the files of a new method, benchmark or manifest.

    They pass the tests as they are written; you then replace what they compute. Nothing that exists
    is overwritten. Needs neither GPU nor the whole environment.
    """


@new.command()
@click.argument("name")
def method(name: str) -> None:
    """Write kit/methods/NAME.py, its tests, and a manifest that runs it.

    NAME has lower-case letters, digits and hyphens, such as my-method.
    """
    from kit.scaffolds.methods import method_scaffold

    _write(method_scaffold(name))


@new.command()
@click.argument("name")
def benchmark(name: str) -> None:
    """Write a loader, small data for it with its checksum list, a manifest, and tests.

    NAME has lower-case letters, digits and hyphens, such as my-benchmark.
    """
    from kit.scaffolds.benchmarks import benchmark_scaffold

    _write(benchmark_scaffold(name))


@new.command()
@click.argument("name")
@click.option(
    "--extends",
    "base",
    metavar="MANIFEST",
    default=DEFAULT_MANIFEST,
    help=f"The manifest that it changes (default: {DEFAULT_MANIFEST}).",
)
def manifest(name: str, base: str) -> None:
    """Write manifests/NAME.toml, which says what differs from another manifest.

    NAME has lower-case letters, digits and hyphens, such as my-experiment.
    """
    from kit.scaffolds.manifests import manifest_scaffold

    _write(manifest_scaffold(name, base))


def _write(scaffold: "Scaffold") -> None:
    from kit.scaffolds.files import write

    for line in write(scaffold):
        tell(line)
