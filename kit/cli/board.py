"""The verb `board`: many results of one manifest on one page. No logic here."""

from pathlib import Path

import click

from kit.cli.claims import require_new
from kit.cli.options import FILE
from kit.cli.signature_options import stated_identity, with_authorities, with_identity
from kit.console import CHECK_SECONDS, tell, waiting

DEFAULT_REFERENCE = "manifests/reference/smoke"


@click.command()
@click.argument("given", metavar="FOLDER...", nargs=-1, required=True)
@click.option(
    "--reference",
    default=DEFAULT_REFERENCE,
    show_default=True,
    help="The result whose claims the others should reproduce.",
)
@click.option(
    "--to",
    "file",
    type=FILE,
    default="board.html",
    show_default=True,
    help="The page, as a new file.",
)
@click.option(
    "--trust",
    type=FILE,
    multiple=True,
    help="A public key to trust as well (PEM or ssh line); may be repeated.",
)
@with_identity
@with_authorities
def board(
    given: tuple[str, ...],
    reference: str,
    file: Path,
    trust: tuple[Path, ...],
    identity: str | None,
    issuer: str | None,
    trust_config: Path | None,
    timestamp_authority: Path | None,
) -> None:
    """Show who has reproduced a reference: many results on one page.

    FOLDER is a result, or a folder of results. Each is verified, as by `verify`, and compared with
    the reference, claim by claim. A result that does not verify is listed with the reason; its
    numbers are not used. Results of another manifest are left out and named.

    With --identity and --issuer, a result that this identity has signed needs no known key.
    """
    from kit.artifacts import write_bytes
    from kit.names import show
    from kit.result.argument import find_result, find_results

    who = stated_identity(identity, issuer, trust_config)
    found = [folder for each in given for folder in find_results(each)]
    goal = find_result(reference)
    require_new(file, [*found, goal])

    from kit.comparison.board import REFUSED, make_board  # after what may be wrong in the call
    from kit.comparison.board_page import board_page, headline
    from kit.comparison.trust import Trust, name_folders
    from kit.signing.timestamp import AUTHORITIES
    from kit.signing.trust import trusted_keys

    folders = name_folders(found)
    trusted = Trust(trusted_keys(trust), who, timestamp_authority or AUTHORITIES)
    with waiting("still checking", CHECK_SECONDS):
        made = make_board(folders, (goal.resolve().name, goal), trusted)
    write_bytes(file, board_page(made).encode())
    for each in made.left_out:
        kind = "not verified" if each.kind == REFUSED else "left out"
        tell(show(f"{kind}: {each.name}: {each.reason}"))
    tell(f"{headline(made)}\npage: {file}")
