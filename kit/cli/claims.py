"""The verbs about claims: rescore one result, compare two. No logic here."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.options import FILE, require_creatable, with_json, with_result, without_changes
from kit.console import CHECK_SECONDS, waiting
from kit.errors import StorageError
from kit.names import show

if TYPE_CHECKING:
    from kit.comparison.compare import Comparison

NOT_REPRODUCED = 1  # exit code


@click.command()
@with_result
@with_json
def rescore(result: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Recompute all numbers of a result from its answers.

    RESULT is a result folder, or the manifest that the result was made from. Rows and verdicts are
    computed from the stored answers and compared with the stored ones. No signature is checked.
    """
    from kit.cli.claims_text import claims_json, claims_table
    from kit.errors import VerificationError
    from kit.result.argument import find_result
    from kit.result.stored import read_result
    from kit.verification.memory_limit import guarded
    from kit.verification.pages import require_stored
    from kit.verification.recompute import rescore as rescore_result

    folder = find_result(result, changes)
    with waiting(f"recomputing {folder}", CHECK_SECONDS), guarded(folder):
        found = rescore_result(read_result(folder))
    fault, notes = None, []
    try:
        with waiting(f"comparing {folder} with that", CHECK_SECONDS), guarded(folder):
            notes = require_stored(found)
    except VerificationError as error:
        fault = error
    if as_json:
        difference = str(fault) if fault else ""
        click.echo(claims_json(found.verdicts, follows=fault is None, difference=difference))
    else:
        for line in claims_table(found.verdicts):
            click.echo(line)
    if fault:
        fault.is_told = as_json
        raise fault
    if not as_json:
        click.echo(f"{len(found.rows)} rows, claims and report equal the stored ones")
        for note in notes:
            click.echo(f"but: {note}")


class OfTwo(click.Command):
    """A verb about two results: a third one ends with the verb that is about many."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            result, reference = ctx.params["result"], ctx.params["reference"]
            named = shlex.join([result, *rest, "--reference", reference])
            raise click.UsageError(
                "compare takes two results, RESULT and REFERENCE; more were given: "
                f"{show(shlex.join(rest))}\nTo see many results on one page: "
                f"./run.sh board {show(named)}",
                ctx,
            )
        return rest


@click.command(cls=OfTwo, context_settings={"allow_extra_args": True})
@click.argument("result")
@click.argument("reference")
@without_changes
@click.option("--html", "file", type=FILE, help="Also write the comparison as a page.")
@with_json
def compare(result: str, reference: str, file: Path | None, as_json: bool) -> None:
    """Test whether RESULT reproduces each claim of REFERENCE.

    Both are result folders, or the manifests that the results were made from. The exit code is 0
    if every claim of REFERENCE is reproduced, and 1 otherwise. No signature is checked.
    """
    from kit.cli.claims_text import comparison_json, comparison_text
    from kit.comparison.compare import compare as compare_results
    from kit.result.argument import find_result
    from kit.result.stored import read_result
    from kit.verification.memory_limit import guarded

    folders = [find_result(each) for each in (result, reference)]
    if file is not None:
        require_new(file, folders)
    with waiting("recomputing and comparing both", CHECK_SECONDS), guarded(*folders):
        found = compare_results(*(read_result(folder, pages=False) for folder in folders))
    if file is not None:
        _write_page(file, found, folders[0], folders[1])
    if as_json:
        click.echo(comparison_json(found))
    else:
        click.echo(show(f"A, the result: {folders[0]}; B, the reference: {folders[1]}"))
        for line in comparison_text(found):
            click.echo(line)
    if not found.reproduced:
        sys.exit(NOT_REPRODUCED)


def require_new(file: Path, folders: Sequence[Path]) -> None:
    """Check, before the work, that a page would replace nothing and break no signature."""
    if file.exists() or file.is_symlink():
        raise StorageError(
            f"{file} already exists, and a page is only written to a new file",
            expected="a path that does not exist",
            found="a folder" if file.is_dir() else "a file",
            remedy="name another file, or remove this one",
        )
    if any(_is_in(file, folder) for folder in folders):
        raise StorageError(
            f"{file} is inside a result, and adding a file would break the result's signature",
            expected="a path outside both results",
            found=f"a path in {next(each for each in folders if _is_in(file, each))}",
            remedy="name a file elsewhere",
        )
    require_creatable(file)


def _is_in(file: Path, folder: Path) -> bool:
    return Path(os.path.realpath(folder)) in Path(os.path.realpath(file)).parents


def _write_page(file: Path, found: "Comparison", result: Path, reference: Path) -> None:
    from kit.artifacts import write_bytes
    from kit.comparison.page import comparison_page

    names = (result.resolve().name, reference.resolve().name)
    write_bytes(file, comparison_page(found, names).encode())
    click.echo(f"page: {file}", err=True)
