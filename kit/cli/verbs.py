"""The verbs of `./run.sh`. No logic here: a verb loads a manifest and calls its stages.

Stages are imported inside the commands, so that `--help` needs no package but click.
"""

import sys
from pathlib import Path

import click

from kit.cli.board import board
from kit.cli.calibrate import calibrate
from kit.cli.claims import compare, rescore
from kit.cli.data import data, fetch, lock, ready
from kit.cli.new import new
from kit.cli.options import (
    FILE,
    Executor,
    add_debug,
    with_executor,
    with_fetch_flags,
    with_json,
    with_manifest,
    with_output,
)
from kit.cli.plan import plan
from kit.cli.remedies import for_this_call
from kit.cli.report import report
from kit.cli.shell import completion, image
from kit.cli.show import show
from kit.cli.signatures import keygen, sign, verify
from kit.cli.stage import run_work
from kit.cli.tune import tune
from kit.console import tell
from kit.errors import unknown

BASE_BYTES = 20_000_000  # of the embedded base model


class Verbs(click.Group):
    """Lists the verbs in the order of a run, and suggests the nearest for an unknown one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            remedy = "./run.sh --help explains each"
            raise unknown(f"unknown verb {args[0]}", args[0], self.commands, remedy=remedy)
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def verbs() -> None:
    """PEBench reproducibility kit: from a manifest to a signed table that anyone can check.

    `./run.sh all` runs the small embedded experiment; it needs no GPU, network or token.
    `./run.sh VERB --help` explains a verb. MANIFEST is manifests/smoke.toml by default.
    """


@verbs.command(name="all")
@with_manifest
@with_executor
@with_fetch_flags
@with_output
def all_(manifest: Path, changes: tuple[str, ...], executor: Executor, **flags: bool) -> None:
    """Run the whole experiment and sign the result.

    Fetches data, fine-tunes, unlearns, evaluates, attacks (with a section [attack]), reports, signs
    and verifies. Finished work is not repeated, and an interrupted run resumes.
    """
    from kit.experiment.manifest_file import load_manifest
    from kit.stages import run as stages
    from kit.stages.attack import attack as attack_stage
    from kit.stages.collect import require_room
    from kit.stages.finish import report_and_sign

    loaded = load_manifest(manifest, changes=changes)
    steps = {"finetune": stages.finetune, "unlearn": stages.unlearn, "evaluate": stages.evaluate}
    if loaded.attack is not None:
        steps["attack"] = attack_stage
    with ready(loaded, "all", flags, [*steps, "report"], executor) as (plan, shown):
        require_room(plan)
        with executor.work(plan.manifest) as work:
            for name, stage in steps.items():
                shown.begin(name)
                stage(plan, work)
        shown.begin("report")
        for line in report_and_sign(plan):
            tell(line)


@verbs.command()
def test() -> None:
    """Run the tests: ./run.sh test [pytest options]."""
    raise click.UsageError("run the tests with ./run.sh test")


@verbs.command()
@with_manifest
@with_json
def doctor(manifest: Path, changes: tuple[str, ...], as_json: bool) -> None:
    """Check that this machine can run MANIFEST.

    Checks hardware, packages, disk space and input files. Every problem is printed with a remedy.
    """
    from kit.doctor import examine, exit_code, render

    checks = examine(manifest, changes=changes)
    tell(for_this_call(render(checks, as_json=as_json)))
    if code := exit_code(checks):
        sys.exit(code)


for command in (plan, fetch, lock, data, new):
    verbs.add_command(command)


@verbs.command(name="try-method")
@click.argument("name")
@with_manifest
def try_method(name: str, manifest: Path, changes: tuple[str, ...]) -> None:
    """Try one step of a method on two records.

    NAME is a file in kit/methods/, without .py, or the name of an entry in MANIFEST, whose options
    are then used. Uses the embedded base, needs no data, and takes seconds.
    """
    from kit.experiment.manifest_file import load_manifest
    from kit.preflight.methods import try_named

    for line in try_named(load_manifest(manifest, changes=changes), name):
        tell(line)


@verbs.command()
@with_manifest
@with_output
@with_executor
def finetune(manifest: Path, changes: tuple[str, ...], executor: Executor) -> None:
    """Train the vanilla and the retain-only models.

    Vanilla learns all records. A retain-only model never sees the forget set of its target.
    """
    from kit.stages import run as stages

    run_work(manifest, "finetune", stages.finetune, executor, changes)


@verbs.command()
@with_manifest
@with_output
@with_executor
def unlearn(manifest: Path, changes: tuple[str, ...], executor: Executor) -> None:
    """Train one adapter per method, target and seed."""
    from kit.stages import run as stages

    run_work(manifest, "unlearn", stages.unlearn, executor, changes)


@verbs.command()
@with_manifest
@with_output
@with_executor
def evaluate(manifest: Path, changes: tuple[str, ...], executor: Executor) -> None:
    """Ask every system every question.

    The implementation used for training then checks a sample of the answers, and must agree.
    """
    from kit.stages import run as stages

    run_work(manifest, "evaluate", stages.evaluate, executor, changes)


@verbs.command()
@with_manifest
@with_output
@with_executor
def attack(manifest: Path, changes: tuple[str, ...], executor: Executor) -> None:
    """Attack every system: does forgotten knowledge come back?

    Retain-only is attacked in the same way, and its recovery is subtracted. Needs a section
    [attack].
    """
    from kit.stages.attack import attack as attack_stage

    run_work(manifest, "attack", attack_stage, executor, changes)


for command in (report, show, sign, verify, rescore, compare, board, calibrate, tune, keygen):
    verbs.add_command(command)


@verbs.command()
def bench() -> None:
    """Measure this machine: ./run.sh bench MEASUREMENT.

    MEASUREMENT is peers, hashing, reading, likelihood, attacks, memory or activations; more are in
    tests/README.md.
    """
    raise click.UsageError("measure with ./run.sh bench")


@verbs.command()
def clean() -> None:
    """Remove caches: ./run.sh clean [--dry-run].

    Only removes files that can be created again; results and keys are kept. With --dry-run, lists
    the files and removes nothing.
    """
    raise click.UsageError("clean the caches with ./run.sh clean")


@verbs.command(name="smoke-base")
@click.option("--output", type=FILE, help="Folder to write (default: kit/smoke/base, replaced).")
def smoke_base(output: Path | None) -> None:
    """Train the embedded base model from scratch.

    Also writes its checksum list. Takes about 40 minutes.
    """
    from kit.artifacts import PROJECT, require_space
    from kit.smoke.base import build_base

    folder = output or PROJECT / "kit" / "smoke" / "base"
    require_space(folder.parent, BASE_BYTES)
    checksums = PROJECT / "checksums" / "smoke-base.sha256"
    build_base(folder, output.with_suffix(".sha256") if output else checksums)
    tell(f"wrote {folder}")


for command in (image, completion):
    verbs.add_command(command)
add_debug(verbs)
