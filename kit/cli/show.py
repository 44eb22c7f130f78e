"""The verb `show`: the pages of a result in a browser. No logic here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import click

from kit.cli.options import FILE, with_result
from kit.console import CHECK_SECONDS, say, tell, waiting
from kit.plan.without_packages import without_packages


@click.command()
@with_result
@click.option(
    "--fresh", is_flag=True, help="Verify RESULT, then show pages rendered from its numbers."
)
@click.option("--trust", type=FILE, help="With --fresh: a public key to trust (PEM or ssh line).")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of the server (default: a free one).",
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def show(
    result: str,
    changes: tuple[str, ...],
    fresh: bool,
    trust: Path | None,
    port: int,
    no_browser: bool,
) -> None:
    """Show the report of a result in a browser, until Ctrl-C.

    RESULT is a result folder, or the manifest that the result was made from. Only this machine can
    reach the pages. If the kit runs in a container, no browser outside can reach them: open
    report/report.html of the result instead.

    By default, the pages in the result are shown, and they are not checked. With --fresh, RESULT is
    verified first, as by `verify`, and this version of the kit renders its pages from the verified
    numbers. They are removed after Ctrl-C; use `report RESULT --to FOLDER` to keep pages.
    """
    from kit.result.argument import find_result
    from kit.result.layout import REPORT
    from kit.result.serving import ANSWERS, PAGE, make_server, open_browser, serve

    if trust and not fresh:
        raise click.UsageError("--trust belongs to --fresh: without it, nothing is checked")
    folder = find_result(result, changes)

    def started(address: str) -> None:
        tell(f"report:  {address}")
        if (pages / ANSWERS).is_file():
            tell(f"answers: {address.removesuffix(PAGE)}{ANSWERS}")
        tell(f"{_checked(folder, fresh=fresh)} Ctrl-C ends this.")
        if not no_browser:
            open_browser(address)

    if not fresh:
        pages = folder / REPORT.rstrip("/")
        serve(make_server(pages, port), started)
        return
    with _fresh_pages(folder, trust) as pages:
        serve(make_server(pages, port), started)


def _checked(folder: Path, *, fresh: bool) -> str:
    """Return what is known of the pages that are shown."""
    if fresh:
        return "These pages were made now, from the numbers that were verified."
    return (
        f"Nothing was checked, so these pages may say anything.{_made_by(folder)} To verify the "
        f"result and see new pages of its numbers: ./run.sh show {quote(str(folder))} --fresh."
    )


def _made_by(folder: Path) -> str:
    """Return that another kit rendered the pages, if it did and says so."""
    from kit.errors import KitError

    try:
        with without_packages():  # this reads run.json and the kit's files, and computes nothing
            from kit.result.made_by import kit_of
            from kit.result.run_file import read_run_in
            from kit.verification.pages import is_rendered_here

            kit = kit_of(read_run_in(folder))
            if is_rendered_here(kit):
                return ""
    except KitError:
        return ""  # `verify` says what is wrong with it
    return f" They were made by another state of the kit, {kit}, and may lack what today's have."


@contextmanager
def _fresh_pages(result: Path, trust: Path | None) -> Iterator[Path]:
    """Verify a result and give a folder with its new pages, which is removed afterwards."""
    from tempfile import TemporaryDirectory

    from kit.names import show as shown
    from kit.signing.trust import trusted_keys
    from kit.verification.memory_limit import guarded
    from kit.verification.pages import write_pages
    from kit.verification.text import describe
    from kit.verification.verify import verify

    with TemporaryDirectory(prefix="pebench-") as place:
        pages = Path(place) / "report"
        say(f"verifying {shown(str(result))} and making its pages")
        with waiting("still verifying", CHECK_SECONDS), guarded(result):
            found = verify(result, trusted=trusted_keys(trust))
            assert found.contents is not None, "the strict policy makes them"
            write_pages(found.contents, pages)
        tell(describe(found))
        yield pages
