"""The verb plan: what a manifest implies, as text or as a job for a scheduler. No logic here."""

from pathlib import Path
from typing import Any

import click

from kit.cli.data import with_fetch_flags, with_manifest
from kit.errors import ManifestError

FILE: Any = click.Path(path_type=Path)


@click.command()
@with_manifest
@click.option(
    "--emit",
    type=click.Choice(["slurm", "k8s", "sky"]),
    help="Print a job instead: a Slurm script, a Kubernetes Job, a SkyPilot task.",
)
@click.option("--output", type=FILE, help="Write it into a file; never over another one.")
@click.option("--image", help="k8s, sky: NAME@sha256:DIGEST. slurm: a .sif file of the cluster.")
@click.option(
    "--time", help="Time limit, [D-]HH:MM:SS: of the job (k8s), of each start (slurm, sky)."
)
@click.option(
    "--restarts",
    type=click.IntRange(min=0),
    help="How often the job may start again (3): at its time limit, or after a failure.",
)
@with_fetch_flags
def plan(manifest: Path, emit: str | None, output: Path | None, **options: Any) -> None:
    """Print every job that the manifest implies and whether it is done; run nothing.

    With --emit, the flags of `all` go into the job.
    """
    if emit is None:
        _require_none(output=output, **options)
        click.echo(_text(manifest))
        return
    from kit.launch.output import write_new

    described = _job(manifest, emit, **options)
    click.echo(write_new(output, described) if output else described, nl=output is not None)


def _require_none(**options: Any) -> None:
    given = [name for name, value in options.items() if not (value is None or value is False)]
    if given:
        raise ManifestError(
            f"--{given[0].replace('_', '-')} is of a job for a scheduler",
            expected="--emit slurm, k8s or sky",
            found="no --emit",
            remedy="add it, or leave the option out",
        )


def _text(manifest: Path) -> str:
    from kit.cli.plan_text import render
    from kit.experiment.manifest_file import load_manifest
    from kit.plan.jobs import make_plan

    return render(make_plan(load_manifest(manifest)))


def _job(path: Path, form: str, **options: Any) -> str:
    from kit import launch
    from kit.experiment.manifest_file import load_manifest
    from kit.launch.job import make_job

    return launch.render(form, make_job(path, load_manifest(path), **options))
