"""The verbs about claims: rescore one result, compare two. No logic here."""

import sys

import click

from kit.cli.options import with_json, with_result

NOT_REPRODUCED = 1  # exit code


@click.command()
@with_result
@with_json
def rescore(result: str, as_json: bool) -> None:
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

    folder = find_result(result)
    with guarded(folder):
        found = rescore_result(read_result(folder))
    fault, notes = None, []
    try:
        with guarded(folder):
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
        raise fault
    if not as_json:
        click.echo(f"{len(found.rows)} rows, claims and report equal the stored ones")
        for note in notes:
            click.echo(f"but: {note}")


@click.command()
@click.argument("result")
@click.argument("reference")
@with_json
def compare(result: str, reference: str, as_json: bool) -> None:
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
    with guarded(*folders):
        found = compare_results(*(read_result(folder, pages=False) for folder in folders))
    if as_json:
        click.echo(comparison_json(found))
    else:
        for line in comparison_text(found):
            click.echo(line)
    if not found.reproduced:
        sys.exit(NOT_REPRODUCED)
