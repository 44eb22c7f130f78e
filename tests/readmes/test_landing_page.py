"""The landing page is short and complete: the verbs, the tree, and no number left to fill in."""

import re

from kit.cli.verbs import verbs
from kit.errors import KitError
from kit.verification.text import describe
from kit.verification.verify import verify
from tests.readmes.contents import exit_codes
from tests.readmes.pages import PROJECT, block, pages, text_of
from tests.toys.signed_result import TRUSTED

LONGEST = 150


def test_the_landing_page_is_short():
    assert len(text_of("README.md").splitlines()) <= LONGEST


def test_every_verb_is_in_the_table_of_verbs():
    table = text_of("README.md").split("## Verbs")[1].split("##")[0]
    for verb in verbs.commands:
        assert f"`{verb}`" in table, verb


def test_the_tree_is_what_is_in_the_project():
    tree = text_of("README.md").split("```")[-2]
    named = re.findall(r"^(\S+?)/? ", tree, re.MULTILINE)
    assert named
    for name in named:
        assert (PROJECT / name).exists(), name
    for path in PROJECT.iterdir():
        if path.is_dir() and not path.name.startswith(".") and (path / "README.md").is_file():
            assert path.name in named, path.name


def test_the_output_that_is_shown_is_what_verify_prints(signed):
    """Signer, key, claims and numbers differ between results; everything else must be equal."""
    shown = block("README.md", "", "ok  signed by").splitlines()
    printed = describe(verify(signed, trusted=TRUSTED)).splitlines()
    assert shown[-1].startswith("report: ")
    verified, findings = shown[:-5], shown[-5:-1]  # four sentences of what was found
    # The small result here has no attacks and no lists of removed neurons.
    lacking = ("under attack", "relearn", "neurons")
    verified = [line for line in verified if not any(word in line for word in lacking)]
    assert list(map(pattern_of, verified)) == list(map(pattern_of, printed))
    assert findings[-1] == "Of 195 claims: 195 REPRODUCED."


def pattern_of(line: str) -> str:
    """Return a line without what differs between results."""
    line = re.sub(r"signed by .*", "signed by SIGNER", line)
    line = re.sub(r"sha256 .*", "sha256 FINGERPRINT", line)
    line = re.sub(r"manifest: .*,", "manifest: NAME,", line)
    line = re.sub(r"\d+ claims follow from them: .*|the manifest claims nothing", "CLAIMS", line)
    return re.sub(r"\d+", "N", line)


def test_every_exit_code_is_documented():
    table = exit_codes()
    for kind in KitError.__subclasses__():
        assert f"| {kind.exit_code} |" in table


def test_no_text_is_left_to_fill_in():
    for page in pages():
        text = page.read_text(encoding="utf-8")
        assert "@@" not in text, page
        assert "TODO" not in text, page
