"""The verb `tune`: from a declared grid to one choice for each method. No logic here."""

from pathlib import Path

import click

from kit.cli.options import (
    FILE,
    Executor,
    with_executor,
    with_fetch_flags,
    with_manifest,
    with_output,
)
from kit.console import tell


@click.command()
@with_manifest
@click.option("--from", "result", type=FILE, help="A finished result of the attempts.")
@click.option("--again", is_flag=True, help="Replace an earlier choice.")
@with_executor
@with_fetch_flags
@with_output
def tune(
    manifest: Path,
    changes: tuple[str, ...],
    result: Path | None,
    again: bool,
    executor: Executor,
    **flags: bool,
) -> None:
    """Choose learning rate and one option of each method.

    Trains every attempt of the grid in section [tune] of MANIFEST, asks it about the validation
    part, which no table reports, and chooses the attempt closest to Retain-only. Writes all
    attempts and the choice into the file that the section names, and prints the digest by which
    the section then names the choice. Finished work is not repeated.
    """
    from kit.cli.data import measured
    from kit.experiment.grid import attempts_manifest
    from kit.experiment.manifest_file import load_manifest
    from kit.plan.names import require_names
    from kit.tuning.text import choice_table, digest_lines
    from kit.tuning.tune import earlier_digest, judge_attempts, section_of, write_tuning

    read = load_manifest(manifest, changes=changes, calibrated=False, tuned=False)
    file = section_of(read).file
    require_names(read)
    if not again and (digest := earlier_digest(read)):
        tell(f"{file} holds the choice already")
        return tell(digest_lines(digest))
    if result is None:
        result = measured(attempts_manifest(read), "tune", flags, executor)
    tuning = judge_attempts(read, result)
    for line in choice_table(tuning):
        tell(line)
    digest = write_tuning(read, tuning)
    tell(f"wrote {file}; the report of all attempts: {result / 'report' / 'report.html'}")
    tell(digest_lines(digest))
