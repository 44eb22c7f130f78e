"""The verb `show`: the pages of a result in a browser. No logic here."""

import click

from kit.cli.options import with_result
from kit.console import tell


@click.command()
@with_result
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
def show(result: str, changes: tuple[str, ...], port: int, no_browser: bool) -> None:
    """Show the report of a result in a browser, until Ctrl-C.

    RESULT is a result folder, or the manifest that the result was made from. Only this machine can
    reach the pages. Nothing in them is checked. In a container nothing outside reaches them: there,
    open report/report.html of the result yourself.
    """
    from kit.result.argument import find_result
    from kit.result.layout import REPORT
    from kit.result.serving import ANSWERS, PAGE, make_server, open_browser, serve

    folder = find_result(result, changes)
    pages = folder / REPORT.rstrip("/")
    server = make_server(pages, port)

    def started(address: str) -> None:
        tell(f"report:  {address}")
        if (pages / ANSWERS).is_file():
            tell(f"answers: {address.removesuffix(PAGE)}{ANSWERS}")
        else:
            tell(
                "An earlier kit made this report, without the page of all answers. "
                f"For today's pages: ./run.sh report {folder} --to FOLDER"
            )
        tell(
            "Nothing was checked, so these pages may say anything. ./run.sh verify RESULT says who "
            "signed and what was checked. ./run.sh report RESULT --to FOLDER makes pages with "
            "verified numbers. Ctrl-C ends this."
        )
        if not no_browser:
            open_browser(address)

    serve(server, started)
