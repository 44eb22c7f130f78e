"""The verb `report`: pages of your own run, or new pages of any verified result."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.options import (
    DEFAULT_MANIFEST,
    FILE,
    require_creatable,
    with_changes,
    with_output,
)
from kit.cli.signature_options import stated_identity, with_authorities, with_identity
from kit.console import CHECK_SECONDS, tell, waiting
from kit.errors import ManifestError, StorageError

PAGES = "pages"
FORMS = (PAGES, "every-eval-ever", "inspect", "croissant", "appendix", "paper")

if TYPE_CHECKING:
    from kit.plan.jobs import Plan
    from kit.signing.keyless import Identity


@click.command()
@click.argument("given", metavar="[MANIFEST | RESULT --to FOLDER]", default=DEFAULT_MANIFEST)
@click.option("--to", "folder", type=FILE, help="Verify RESULT and write its pages here.")
@click.option(
    "--as",
    "form",
    type=click.Choice(FORMS),
    default=PAGES,
    show_default=True,
    help="With --to: the format to write.",
)
@click.option("--trust", type=FILE, help="With --to: a public key to trust (PEM or ssh line).")
@with_identity
@with_authorities
@with_changes
@with_output
def report(
    given: str,
    folder: Path | None,
    form: str,
    trust: Path | None,
    identity: str | None,
    issuer: str | None,
    trust_config: Path | None,
    timestamp_authority: Path | None,
    changes: tuple[str, ...],
) -> None:
    """Write a result folder, or new pages of a result.

    MANIFEST is the manifest of your own run, which must be evaluated.

    With --to, RESULT is the folder of any result. It is verified first, as by `verify`. Then this
    version of the kit renders the pages from the verified numbers. --as writes another format:

    \b
    every-eval-ever  Every Eval Ever 0.3.0: aggregates, and one line per answer
    inspect          logs for Inspect (inspect_ai), one per system
    croissant        the tables, with Croissant 1.1 metadata and its RAI fields
    appendix         an artifact appendix and a reproducibility checklist, LaTeX and Markdown
    paper            tables as LaTeX and Markdown, figures as SVG and PNG
    """
    who = stated_identity(identity, issuer, trust_config)
    if folder is not None and changes:
        raise click.UsageError("--set changes a MANIFEST, and --to takes a RESULT")
    if folder is not None:
        _render(Path(given), folder, form, trust, who, timestamp_authority)
        return
    if trust or who or timestamp_authority or form != PAGES:
        raise click.UsageError(
            "--as, --trust, --identity, --issuer and --timestamp-authority belong to "
            "RESULT --to FOLDER"
        )
    if Path(given).is_dir():
        raise ManifestError(
            f"{given} is a folder, and `report` without --to takes a manifest",
            expected="the manifest of your own run, which is what `report` continues",
            found="a folder",
            remedy=f"to render the pages of a result: ./run.sh report {given} --to FOLDER",
        )
    _collect(Path(given), changes)


def _collect(manifest: Path, changes: tuple[str, ...]) -> None:
    from kit.cli.stage import run_stage
    from kit.stages.collect import collect
    from kit.stages.findings import findings

    def write(plan: "Plan") -> None:
        result, _ = collect(plan)
        tell("\n".join(findings(result)))
        tell(f"report: {result / 'report' / 'report.html'}")

    run_stage(manifest, "report", write, changes)


def _render(
    result: Path,
    folder: Path,
    form: str,
    trust: Path | None,
    who: "Identity | None",
    authorities: Path | None,
) -> None:
    from kit.exchange.exported import Exported
    from kit.exchange.forms import write_form
    from kit.signing.timestamp import AUTHORITIES
    from kit.signing.trust import trusted_keys
    from kit.verification.memory_limit import guarded
    from kit.verification.pages import write_pages
    from kit.verification.text import describe
    from kit.verification.verify import verify

    if not result.is_dir():
        raise ManifestError(
            f"{result} is not a result folder, and --to takes one",
            expected="the folder of a result: results/NAME-DIGEST, or one that you received",
            found="a file" if result.exists() else "no such folder",
            remedy=f"for the pages of your own run: ./run.sh report {result}"
            if result.suffix == ".toml"
            else "check the path",
        )
    if folder.exists() or folder.is_symlink():
        raise StorageError(
            f"{folder} already exists, and pages are only written to a new folder",
            expected="a path that does not exist",
            found="a folder" if folder.is_dir() else "a file",
            remedy="name another folder, or remove this one",
        )
    if Path(os.path.realpath(result)) in Path(os.path.realpath(folder)).parents:
        raise StorageError(
            f"{folder} is inside the result, and adding a file would break the result's signature",
            expected="a path outside the result",
            found=f"a path below {result}",
            remedy="name a folder elsewhere",
        )
    require_creatable(folder)
    with waiting(f"verifying {result}", CHECK_SECONDS), guarded(result):
        found = verify(
            result,
            trusted=trusted_keys(trust),
            identity=who,
            authorities=authorities or AUTHORITIES,
            keep=form != PAGES,
        )
        assert found.contents is not None, "the strict policy makes them"
        if form == PAGES:
            write_pages(found.contents, folder)
            written = f"pages of these numbers: {folder / 'report.html'}"
        else:
            number = write_form(Exported.of(found, result), form, folder)
            written = f"{form} of this result: {number} files in {folder}"
    tell(describe(found))
    tell(written)
