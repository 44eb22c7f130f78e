"""Whatever is done to the files of a signed result, `verify` fails and names what was done."""

import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.artifacts import PROJECT
from kit.digests import sha256_file
from kit.errors import SignatureError, VerificationError
from kit.result.layout import ENVELOPE, SIGNATURES, SUMS
from kit.signing.envelope import open_envelope
from kit.signing.keys import fingerprint
from kit.signing.trust import GIVEN
from kit.verification.text import NOT_PROVEN, describe
from kit.verification.verify import verify
from tests.toys.signed_result import ADAPTER, ANSWERS, KEY, TRUSTED, copy_of, rejects


def test_a_signed_result_verifies_and_says_by_whom(signed):
    found = verify(signed, trusted=TRUSTED)
    assert (found.role, found.fingerprint) == (GIVEN, fingerprint(KEY.public_key()))
    assert found.systems == ("person-npo-s1", "retain_only-person", "vanilla")
    files = [path for path in signed.rglob("*") if path.is_file()]
    assert found.files == len(files) - len(SIGNATURES)
    assert found.rows == len(pd.read_parquet(signed / "rows.parquet")) > 0


def test_the_summary_ends_with_what_a_signature_does_not_prove(signed):
    text = describe(verify(signed, trusted=TRUSTED))
    assert text.endswith(NOT_PROVEN)
    assert GIVEN in text
    assert "only the signer vouches for that" in NOT_PROVEN


@pytest.mark.parametrize("name", ["run.json", "rows.parquet", ANSWERS, ADAPTER, SUMS])
def test_a_flipped_byte_is_named(damaged, name):
    data = bytearray((damaged / name).read_bytes())
    data[len(data) // 2] ^= 1
    (damaged / name).write_bytes(data)
    rejects(damaged, VerificationError, f"{re.escape(name)}: changed after signing")


def removed(result):
    (result / "sets.parquet").unlink()


def renamed(result):
    (result / ADAPTER).rename(result / ADAPTER.replace("model", "weights"))


def added_empty(result):
    (result / "notes.txt").touch()


def added_git(result):
    (result / ".git").mkdir()
    (result / ".git" / "config").touch()


def empty_folder(result):
    (result / "answers" / "old").mkdir()


def hard_linked(result):
    os.link(result / ADAPTER, result.parent / "outside")


def symlinked(result):
    (result / ADAPTER).rename(result.parent / "outside")
    (result / ADAPTER).symlink_to(result.parent / "outside")


def symlinked_folder(result):
    (result / "adapters").rename(result.parent / "outside")
    (result / "adapters").symlink_to(result.parent / "outside")


def folder_for_file(result):
    (result / "rows.parquet").unlink()
    (result / "rows.parquet").mkdir()
    (result / "rows.parquet" / "part-0.parquet").touch()


def pipe_for_file(result):
    (result / "rows.parquet").unlink()
    os.mkfifo(result / "rows.parquet")


def truncated(result):
    os.truncate(result / "rows.parquet", 100)


def case_changed(result):
    (result / "rows.parquet").rename(result / "Rows.parquet")


def case_twin(result):
    shutil.copy(result / "rows.parquet", result / "Rows.parquet")


def sums_removed(result):
    (result / SUMS).unlink()


TAMPERINGS = [
    (removed, "sets.parquet: missing"),
    (renamed, "adapter_model.safetensors: renamed to adapters/.*adapter_weights.safetensors"),
    (added_empty, "notes.txt: added after signing"),
    (added_git, r"\.git/config: added after signing"),
    (empty_folder, "answers/old: empty folder"),
    (hard_linked, "adapter_model.safetensors: hard link"),
    (symlinked, "adapter_model.safetensors: symbolic link"),
    (symlinked_folder, "adapters: symbolic link"),
    (folder_for_file, "rows.parquet: a folder stands where a file was signed"),
    (pipe_for_file, "rows.parquet: neither a file nor a folder"),
    (truncated, "rows.parquet: changed after signing"),
    (case_changed, "rows.parquet: renamed to Rows.parquet"),
    (case_twin, "rows.parquet: differs from Rows.parquet only by letter case"),
    (sums_removed, "SHA256SUMS: missing"),
]


@pytest.mark.parametrize(("tamper", "reason"), TAMPERINGS)
def test_every_difference_of_the_folder_is_named(damaged, tamper, reason):
    tamper(damaged)
    rejects(damaged, VerificationError, reason)


def test_all_differences_are_listed_and_not_only_the_first(damaged):
    for tamper in (removed, added_empty, empty_folder, hard_linked):
        tamper(damaged)
    text = rejects(damaged, VerificationError, "differing entries: 4")
    for part in ("sets.parquet: missing", "notes.txt: added", "old: empty", "hard link"):
        assert part in text


def test_a_renamed_file_is_told_once(damaged):
    renamed(damaged)
    rejects(damaged, VerificationError, "differing entries: 1")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_single_byte_mutation_of_any_file_fails(signed, tmp_path_factory, data):
    names = sorted(p.relative_to(signed).as_posix() for p in signed.rglob("*.*") if p.is_file())
    name = data.draw(st.sampled_from([*names, SUMS]))
    content = bytearray((signed / name).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    copy = copy_of(signed, tmp_path_factory.mktemp("mutated"))
    (copy / name).write_bytes(content)
    if name == ENVELOPE and means_the_same(bytes(content), signed):
        return
    with pytest.raises((SignatureError, VerificationError)):
        verify(copy, trusted=TRUSTED)


def means_the_same(content, signed):
    """Whether an envelope still carries payload and signature: its keyid is a hint, no more."""
    try:
        envelope = open_envelope(content)
    except SignatureError:
        return False
    original = open_envelope((signed / ENVELOPE).read_bytes())
    return (envelope.payload, envelope.signature) == (original.payload, original.signature)


def test_a_result_is_not_changed_by_its_verification(signed):
    before = {path: sha256_file(path) for path in signed.rglob("*.*")}
    verify(signed, trusted=TRUSTED)
    assert {path: sha256_file(path) for path in signed.rglob("*.*")} == before


def test_verification_needs_neither_torch_nor_vllm_nor_the_network():
    program = (
        "import sys\n"
        "import kit.verification.verify, kit.signing.sign, kit.signing.keys, kit.signing.trust\n"
        "heavy = {'torch', 'vllm', 'transformers', 'requests', 'urllib3', 'huggingface_hub'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_verification_stays_small_and_leaves_scipy_and_most_of_nltk_alone(signed):
    """nltk would import all of itself, and scipy where it is installed: 75 MB."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from kit.verification.verify import verify\n"
        "from tests.toys.signed_result import TRUSTED\n"
        "verify(Path(sys.argv[1]), trusted=TRUSTED)\n"
        "print(sorted({'torch', 'scipy', 'nltk'} & set(sys.modules)))\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "import scipy.stats"
    )
    command = [sys.executable, "-c", program, str(signed)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    modules, kilobytes = done.stdout.splitlines()
    assert modules == "[]"
    assert int(kilobytes) * 1024 <= 190_000_000
