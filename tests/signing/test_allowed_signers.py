"""The committed list of signers: every key that ever signed a reference stays in it."""

import re
import subprocess

import pytest

from kit.artifacts import PROJECT
from kit.signing.allowed_signers import AUTHOR, read_signers
from kit.signing.keys import fingerprint
from kit.signing.trust import ALLOWED_SIGNERS

# {the first commit of a reference: the fingerprint of the author key that signed it}.
# Add a line for each new reference, and never remove one.
SIGNED_A_REFERENCE = {
    "431ac92": "55081a2faf4dd433f9d9ae8b40a098e42a73a3f00bb637eb1721bfbe67c9e197",
    "9b9f3e2": "edc8ddf9aa92bac89b044eed65a8ec91d21fcada6435e77ecef594ad19c7a1ef",
    "a856aaa": "6402de7c91814f3c4b1098c7317444318181c788a04fc5de38c4e6d92a24067e",
    "d268d0a": "39d3088bbdf2945440f2480016dba67cb480cd66475034a5756620c90bf9d9f1",
}
FROM = {"d268d0a": "2026-11-29", "before": "2026-11-24"}  # the first day of a key, for two years


@pytest.fixture
def listed():
    """Return {fingerprint: key} of the committed authors."""
    keys = [key for key in read_signers(ALLOWED_SIGNERS) if key.role == AUTHOR]
    return {fingerprint(key.public): key for key in keys}


@pytest.mark.parametrize("commit", SIGNED_A_REFERENCE)
def test_the_key_of_every_reference_is_still_listed_with_its_period(listed, commit):
    key = SIGNED_A_REFERENCE[commit]
    assert key in listed, (
        f"checksums/allowed_signers has lost the author key {key[:12]}..., which signed the "
        f"reference of commit {commit}: a line is never replaced, add the new key below it"
    )
    first = FROM.get(commit, FROM["before"])
    last = first.replace("2026", "2028")
    assert str(listed[key].period) == f"valid from {first} 00:00 UTC until {last} 00:00 UTC"


def test_no_author_line_of_the_git_history_was_changed_or_removed():
    """Holds for lines of the future as well, which the table above may not know yet."""
    if not (PROJECT / ".git").exists():
        pytest.skip("this copy of the project has no git history")
    command = ["git", "log", "-p", "--format=", "--", "checksums/allowed_signers"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    lines = set(re.findall(r"^[+-](author\S* .+)$", done.stdout, re.MULTILINE))
    assert lines, "git shows no author line at all"
    kept = set(ALLOWED_SIGNERS.read_text(encoding="utf-8").splitlines())
    assert lines <= kept, "these lines were replaced or removed; add new keys below them instead"


def test_the_signer_of_the_committed_reference_is_in_the_table():
    """A new reference needs its line in the table above."""
    envelope = PROJECT / "manifests" / "reference" / "smoke" / "manifest.intoto.json"
    keyid = re.search(r'"keyid":"([0-9a-f]{64})"', envelope.read_text(encoding="utf-8"))
    assert keyid
    assert keyid[1] in SIGNED_A_REFERENCE.values()
