"""The verb plan: print a manifest's jobs, or one job for a scheduler. No logic here."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import click

from kit.cli.options import (
    FILE,
    LOCAL,
    Executor,
    with_executor,
    with_fetch_flags,
    with_manifest,
    with_price,
)
from kit.cli.remedies import for_this_call
from kit.console import tell
from kit.errors import ManifestError
from kit.plan.without_packages import without_packages

Scheduler = Literal["slurm", "k8s", "sky"]


class JobOptions(TypedDict):
    """Options that only --emit uses; the flags of a download are those of `all`."""

    image: str | None
    time: str | None
    restarts: int | None
    nodes: int | None
    accept_licences: bool
    allow_unlocked: bool
    offline: bool


@click.command()
@with_manifest
@click.option(
    "--probe", is_flag=True, help="Measure this machine first: 20 steps per job, few answers."
)
@click.option("--jobs", is_flag=True, help="Print one line for each job, system and attack.")
@click.option(
    "--why", is_flag=True, help="Print why each remaining job must run: what has changed."
)
@click.option(
    "--scale", is_flag=True, help="Simulate the whole experiment on 1, 8, 64 and 512 cards."
)
@click.option(
    "--rates",
    type=FILE,
    help="File with the rates that a probe measured, for --scale (default: a probe made here).",
)
@with_price
@click.option(
    "--emit",
    type=click.Choice(["slurm", "k8s", "sky"]),
    help="Print a job that runs `all`: a Slurm script, a Kubernetes Job or a SkyPilot task.",
)
@click.option("--output", type=FILE, help="Write the job to a new file.")
@click.option(
    "--image",
    metavar="IMAGE",
    help="Container image: NAME@sha256:DIGEST (k8s, sky), or a .sif file on the cluster (slurm).",
)
@click.option(
    "--time",
    metavar="[D-]HH:MM:SS",
    help="Time limit of the whole job (k8s) or of each attempt (slurm, sky).",
)
@click.option(
    "--restarts",
    type=click.IntRange(min=0),
    help="How often the job may restart after its time limit or a failure (default: 3).",
)
@click.option(
    "--nodes",
    type=int,
    metavar="N",
    help="Number of machines, with --executor ray: they form one Ray cluster.",
)
@with_executor
@with_fetch_flags
@without_packages()  # where the environment does not exist yet
def plan(
    manifest: Path,
    changes: tuple[str, ...],
    probe: bool,
    jobs: bool,
    why: bool,
    scale: bool,
    rates: Path | None,
    price: float | None,
    emit: Scheduler | None,
    output: Path | None,
    executor: Executor,
    **options: Unpack[JobOptions],
) -> None:
    """Print the jobs of each method, what is left to do, memory and time; run nothing.

    With --probe, run a small part of the experiment on this machine first, and estimate times from
    it. Only the measured rates are kept, in the cache.

    With --emit, print a job file for a scheduler instead. The job runs `./run.sh all` with the
    flags --offline, --allow-unlocked and --accept-licences that you give here. With --executor ray
    and --nodes, the job has several machines, which form one Ray cluster.

    With --scale, simulate the experiment on more cards instead: time, card time, where it stops
    scaling and why. For hours, pass the rates that a probe measured on one card with --rates:
    .cache/artifacts/probe-*.json of that machine. Without them, times are in units of the longest
    adapter, and hours are estimated from the number of operations.

    With --executor ray, also check the nodes of the cluster, and the store of --store, and print
    what would be submitted.
    """
    if emit is None:
        _require_unused(output, options)
        if rates is not None and not scale:
            raise ManifestError(
                "--rates is only used by --scale",
                expected="both, or neither",
                found="--rates without --scale",
                remedy="add --scale, or leave --rates out",
            )
        if probe:
            _probe(manifest, changes)
        if scale:
            tell(for_this_call(_scaled(manifest, changes, rates, price)))
            return
        tell(for_this_call(_text(manifest, changes, price, each=jobs, why=why)))
        if executor.name != LOCAL.name:
            for line in _on_cluster(manifest, changes, executor):
                tell(line)
        return
    if probe or price or jobs or why or scale or rates:
        raise ManifestError(
            "--emit prints a job file instead of the plan, so --probe, --price, --jobs, --why, "
            "--scale and --rates have no effect",
            expected="--emit alone, or the others without it",
            found="both",
            remedy="call plan twice: once without --emit, once with it",
        )
    from kit.launch.output import write_new

    job = _job(manifest, changes, emit, options, executor)
    tell(write_new(output, job) if output else job, end="\n" if output else "")


def _require_unused(output: Path | None, options: JobOptions) -> None:
    values = {"output": output, **options}
    if given := [name for name, value in values.items() if not (value is None or value is False)]:
        raise ManifestError(
            f"--{given[0].replace('_', '-')} is only used by --emit",
            expected="--emit slurm, k8s or sky",
            found="no --emit",
            remedy="add --emit, or leave the option out",
        )


def _probe(manifest: Path, changes: Sequence[str]) -> None:
    from dataclasses import replace

    from kit.experiment.grid import attempts_manifest
    from kit.experiment.manifest_file import load_manifest
    from kit.plan.jobs import make_plan
    from kit.plan.rates import store_rates
    from kit.sources.datasets import verify_sources
    from kit.stages.probe import count_questions, probe

    loaded = load_manifest(manifest, changes=changes)
    plan = make_plan(loaded)
    verify_sources(loaded)
    rates = probe(plan)
    store_rates(loaded, rates)
    if loaded.tune is not None:  # the same machine and base: attempts differ in their questions
        attempts = make_plan(attempts_manifest(loaded))
        store_rates(attempts.manifest, replace(rates, answers=count_questions(attempts)))


def _text(
    manifest: Path, changes: Sequence[str], price: float | None, *, each: bool, why: bool
) -> str:
    from kit.cli.plan_text import render
    from kit.experiment.grid import attempts_manifest
    from kit.experiment.manifest_file import load_manifest
    from kit.plan.preview import preview
    from kit.tuning.text import grid_table

    loaded = load_manifest(manifest, changes=changes)
    said = render(*preview(loaded), price, each=each, why=why)
    if loaded.tune is None:
        return said
    attempts = render(*preview(attempts_manifest(loaded)), price, each=each, why=why)
    return "\n".join([said, "", *grid_table(loaded), "", attempts])


def _scaled(manifest: Path, changes: Sequence[str], rates: Path | None, price: float | None) -> str:
    from kit.cli.plan_scale import render_scale, require_environment
    from kit.experiment.manifest_file import load_manifest
    from kit.plan.preview import preview
    from kit.plan.rates import rates_in, read_rates
    from kit.plan.several_cards import require_one_card

    require_environment()
    loaded = load_manifest(manifest, changes=changes)
    require_one_card(loaded, "--scale")
    measured = read_rates(loaded) if rates is None else rates_in(rates)
    return "\n".join(render_scale(preview(loaded)[0], measured, price))


def _on_cluster(manifest: Path, changes: Sequence[str], executor: Executor) -> Iterator[str]:
    from kit.cluster.places import chosen
    from kit.cluster.preview import submitted
    from kit.cluster.ray_cluster import RayCluster
    from kit.experiment.manifest_file import load_manifest
    from kit.plan.preview import preview
    from kit.plan.several_cards import require_one_card

    loaded = load_manifest(manifest, changes=changes)
    require_one_card(loaded, "--executor ray")
    cluster = RayCluster(executor.address, loaded.compute.threads, chosen(executor.store))
    try:
        lines, slots = cluster.require_nodes(), cluster.slots()
    finally:
        cluster.close()
    yield f"ray: room for {slots} pieces of work at a time"
    yield from (f"  {line}" for line in lines)
    yield from submitted(preview(loaded)[0], slots)


def _job(
    path: Path,
    changes: Sequence[str],
    scheduler: Scheduler,
    options: JobOptions,
    executor: Executor,
) -> str:
    from kit import launch
    from kit.experiment.manifest_file import load_manifest
    from kit.launch.job import make_job
    from kit.launch.nodes import require_nodes

    options["nodes"] = require_nodes(
        options["nodes"], executor.name, executor.address, executor.store
    )
    loaded = load_manifest(path, changes=changes)
    return launch.render(scheduler, make_job(path, loaded, changes, **options))
