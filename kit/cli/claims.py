"""The verbs about somebody's claims: rescore one result, compare two. No logic here."""

import sys
from collections.abc import Callable
from typing import Any

import click

DEFAULT = "manifests/smoke.toml"
NOT_REPRODUCED = 1


def as_json(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flag --json."""
    option: Any = click.option("--json", "machine", is_flag=True, help="Print JSON.")
    return option(command)


@click.command()
@click.argument("result", default=DEFAULT)
@as_json
def rescore(result: str, machine: bool) -> None:
    """Recompute rows and claims of a result (a folder, or its manifest) from its answers."""
    from kit.cli.claims_text import claims_json, claims_table
    from kit.errors import VerificationError
    from kit.result.argument import find_result
    from kit.result.folder import read_result
    from kit.verification.memory_limit import guarded
    from kit.verification.recompute import compare_stored
    from kit.verification.recompute import rescore as rescore_result

    with guarded():
        held = read_result(find_result(result))
        found = rescore_result(held)
    fault = None
    try:
        with guarded():
            compare_stored(held, found)
    except VerificationError as error:
        fault = error
    if machine:
        said = str(fault) if fault else ""
        click.echo(claims_json(found.verdicts, follows=fault is None, difference=said))
    else:
        for line in claims_table(found.verdicts):
            click.echo(line)
    if fault:
        raise fault
    if not machine:
        click.echo(f"{len(found.rows)} rows, claims and report equal what is stored")


@click.command()
@click.argument("result")
@click.argument("reference")
@as_json
def compare(result: str, reference: str, machine: bool) -> None:
    """Hold RESULT against REFERENCE, claim by claim; 0 only if every claim is reproduced.

    Each is a folder, or the manifest that a result was made from. The claims are the reference's.
    """
    from kit.cli.claims_text import comparison_json, comparison_text
    from kit.comparison.compare import compare as compare_results
    from kit.result.argument import find_result
    from kit.result.folder import read_result
    from kit.verification.memory_limit import guarded

    with guarded():
        folders = [find_result(each) for each in (result, reference)]
        found = compare_results(*(read_result(folder, pages=False) for folder in folders))
    if machine:
        click.echo(comparison_json(found))
    else:
        for line in comparison_text(found):
            click.echo(line)
    if not found.reproduced:
        sys.exit(NOT_REPRODUCED)
