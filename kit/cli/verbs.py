"""The verbs. No logic here: each verb loads a manifest and calls its stages.

Imports of the stages are inside the commands, so that `--help` needs nothing but click.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.claims import compare, rescore
from kit.cli.data import data, fetch, fetched, lock, with_fetch_flags, with_manifest
from kit.cli.plan import plan
from kit.cli.signatures import keygen, sign, verify
from kit.errors import ManifestError

if TYPE_CHECKING:
    from kit.plan.jobs import Plan

DEFAULT = "manifests/smoke.toml"


class Verbs(click.Group):
    """Lists the verbs in the order of the work and answers a misspelt one with the nearest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            import difflib

            near = difflib.get_close_matches(args[0], self.commands, n=1)
            raise ManifestError(
                f"unknown verb {args[0]}",
                expected=f"one of {', '.join(self.commands)}",
                remedy=f"did you mean '{near[0]}'?" if near else "./run.sh --help",
            )
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def verbs() -> None:
    """PEBench reproducibility kit: from a manifest to a signed table that anyone can check.

    `./run.sh all` runs the embedded experiment (no GPU, network or token needed); `./run.sh test`
    runs the tests. Every verb takes a manifest, manifests/smoke.toml by default.
    """


def _plan(manifest: Path) -> "Plan":
    from kit.experiment.manifest_file import load_manifest
    from kit.plan.jobs import make_plan

    return make_plan(load_manifest(manifest))


def _stage(manifest: Path, name: str) -> None:
    """Run one stage alone, on verified bytes."""
    from kit.sources import datasets
    from kit.stages import run as stages
    from kit.stages.attempts import working

    plan = _plan(manifest)
    with working(plan.manifest, name):
        datasets.verify_sources(plan.manifest)
        getattr(stages, name)(plan)


@verbs.command(name="all")
@with_manifest
@with_fetch_flags
def all_(manifest: Path, **flags: bool) -> None:
    """Do everything that is missing: data, training, unlearning, evaluation, report, signature."""
    from kit.stages import run as stages

    with fetched(manifest, "all", flags) as plan:
        for stage in (stages.finetune, stages.unlearn, stages.evaluate):
            stage(plan)
        _finish(plan)


def _finish(plan: "Plan") -> None:
    """Report, sign and verify; end with where the report is and who signed."""
    from kit.stages.finish import report_and_sign

    for line in report_and_sign(plan):
        click.echo(line)


@verbs.command()
def test() -> None:
    """Run the tests (./run.sh test [pytest options])."""
    raise click.UsageError("run the tests with ./run.sh test")


@verbs.command()
@with_manifest
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor(manifest: Path, as_json: bool) -> None:
    """Check machine, GPU, packages, disk and files; what is wrong has its remedy beside it."""
    from kit.doctor import examine, exit_code, render

    checks = examine(manifest)
    click.echo(render(checks, as_json=as_json))
    if code := exit_code(checks):
        sys.exit(code)


for command in (plan, fetch, lock, data):
    verbs.add_command(command)


@verbs.command()
@with_manifest
def finetune(manifest: Path) -> None:
    """QLoRA: the vanilla model and the retain-only models."""
    _stage(manifest, "finetune")


@verbs.command()
@with_manifest
def unlearn(manifest: Path) -> None:
    """Train one adapter for each method, target and seed."""
    _stage(manifest, "unlearn")


@verbs.command()
@with_manifest
def evaluate(manifest: Path) -> None:
    """Answer every record with every system in batches; check the answers with a second engine."""
    _stage(manifest, "evaluate")


@verbs.command()
@with_manifest
def report(manifest: Path) -> None:
    """Write rows, tables, figure and page from the stored answers."""
    from kit.sources import datasets
    from kit.stages.attempts import working
    from kit.stages.collect import collect

    plan = _plan(manifest)
    with working(plan.manifest, "report"):
        datasets.verify_sources(plan.manifest)
        folder, _ = collect(plan)
    click.echo(f"report: {folder / 'report' / 'report.html'}")


for command in (sign, verify, rescore, compare, keygen):
    verbs.add_command(command)


@verbs.command()
def bench() -> None:
    """Measure this machine (./run.sh bench hashing, reading, likelihood, answers or memory)."""
    raise click.UsageError("measure with ./run.sh bench")


@verbs.command()
def clean() -> None:
    """Remove what can be made again, never results or keys (./run.sh clean [--dry-run])."""
    raise click.UsageError("clean the caches with ./run.sh clean")


@verbs.command(name="smoke-base")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder (default: kit/smoke/base, replaced)."
)
def smoke_base(output: Path | None) -> None:
    """Train the embedded base model from scratch and list its checksums (about 40 minutes)."""
    from kit.artifacts import PROJECT
    from kit.smoke.base import build_base

    folder = output or PROJECT / "kit" / "smoke" / "base"
    listed = PROJECT / "checksums" / "smoke-base.sha256"
    build_base(folder, output.with_suffix(".sha256") if output else listed)
    click.echo(f"wrote {folder}")


@verbs.command()
def image() -> None:
    """Build or export the container image (./run.sh image --help)."""
    raise click.UsageError("build the image with ./run.sh image")
