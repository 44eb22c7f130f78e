"""The verb `calibrate`: from pilot seeds to the equivalence of each claim. No logic here."""

from pathlib import Path

import click

from kit.cli.options import FILE, with_fetch_flags, with_manifest, with_output
from kit.console import tell


@click.command()
@with_manifest
@click.option("--from", "result", type=FILE, help="A finished result of the pilots; train nothing.")
@click.option("--again", is_flag=True, help="Replace an earlier calibration.")
@with_fetch_flags
@with_output
def calibrate(
    manifest: Path, changes: tuple[str, ...], result: Path | None, again: bool, **flags: bool
) -> None:
    """Set how far another run of MANIFEST may be off.

    Trains and evaluates the pilot seeds of its section [calibration], judges every claim on each of
    them, and writes the spread and the `equivalence` of each claim into the file that the section
    names. Finished work is not repeated. A claim that a pilot does not support is an error, and
    nothing is written.
    """
    from kit.calibration.calibrate import (
        judge_pilots,
        pilot_manifest,
        require_nothing_overwritten,
        write_calibration,
    )
    from kit.calibration.text import calibration_table
    from kit.cli.data import measured
    from kit.experiment.manifest_file import load_manifest
    from kit.plan.names import require_names

    read = load_manifest(manifest, changes=changes, calibrated=False)
    require_names(read)
    require_nothing_overwritten(read, again=again)
    if result is None:
        result = measured(pilot_manifest(read), "calibrate", flags)
    piloted = judge_pilots(read, result)
    for line in calibration_table(piloted):
        tell(line)
    path = write_calibration(read, piloted, result)
    tell(f"wrote {path}; commit it before the reference is trained")
