"""Ways in which a good result goes bad: each takes a signed result and changes it in place.

A mutation that ends in `forge` is one by a dishonest holder of a trusted key.
"""

import base64
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.digests import format_checksums, sha256_bytes, sha256_value
from kit.result.layout import BILL, ENVELOPE, SSH_SIGNATURE, SUMS, TEST_RESULT
from kit.result.tables import SCHEMAS
from kit.signing.envelope import seal
from kit.signing.sign import sign
from kit.signing.sshsig import sign_bytes
from tests.toys.signed_result import (
    ADAPTER,
    ANSWERS,
    KEY,
    edit_json,
    edit_table,
    forge,
    reseal,
    statement_of,
)

OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
Mutation = Callable[[Path], None]


def flip(name: str, place: float = 0.5) -> Mutation:
    def mutate(result: Path) -> None:
        data = bytearray((result / name).read_bytes())
        data[int(len(data) * place)] ^= 1
        (result / name).write_bytes(data)

    return mutate


def remove(name: str) -> Mutation:
    return lambda result: (result / name).unlink()


def rename(result: Path) -> None:
    (result / ADAPTER).rename(result / "adapters" / "other.safetensors")


def add(name: str) -> Mutation:
    def mutate(result: Path) -> None:
        (result / name).parent.mkdir(exist_ok=True, parents=True)
        (result / name).write_text("new", encoding="utf-8")

    return mutate


def cut(name: str) -> Mutation:
    return lambda result: os.truncate(result / name, (result / name).stat().st_size // 2)


def append(name: str) -> Mutation:
    def mutate(result: Path) -> None:
        with (result / name).open("ab") as stream:
            stream.write(b"\n")

    return mutate


def hard_link(name: str) -> Mutation:
    return lambda result: os.link(result / name, result.parent / "outside")


def hard_link_inside(result: Path) -> None:
    os.link(result / ADAPTER, result / "twin.safetensors")


def symlink(name: str) -> Mutation:
    def mutate(result: Path) -> None:
        (result / name).rename(result.parent / "outside")
        (result / name).symlink_to(result.parent / "outside")

    return mutate


def folder_for(name: str) -> Mutation:
    def mutate(result: Path) -> None:
        (result / name).unlink()
        (result / name).mkdir()
        (result / name / "part").touch()

    return mutate


def file_for_folder(result: Path) -> None:
    shutil.rmtree(result / "adapters")
    (result / "adapters").touch()


def pipe_for(name: str) -> Mutation:
    def mutate(result: Path) -> None:
        (result / name).unlink()
        os.mkfifo(result / name)

    return mutate


def case_twin(result: Path) -> None:
    shutil.copy(result / "run.json", result / "RUN.json")


def empty_folder(result: Path) -> None:
    (result / "answers" / "old").mkdir()


def envelope(name: str = ENVELOPE, **parts: object) -> Mutation:
    """Change parts of an envelope, whose signature stays."""

    def mutate(result: Path) -> None:
        edit_json(result / name, **parts)

    return mutate


def payload_of_another(name: str) -> Mutation:
    """Put another payload under the signature that is there."""

    def mutate(result: Path) -> None:
        other = json.dumps(statement_of(result, name) | {"predicate": {}}).encode()
        edit_json(result / name, payload=base64.b64encode(other).decode())

    return mutate


def second_signature(result: Path) -> None:
    value = json.loads((result / ENVELOPE).read_bytes())
    bad = base64.b64encode(bytes(64)).decode()
    value["signatures"].append({"keyid": "", "sig": bad})
    (result / ENVELOPE).write_text(json.dumps(value), encoding="utf-8")


def signature_without_its_type(result: Path) -> None:
    """Sign the payload itself and not DSSE's encoding of it."""
    payload = base64.b64decode(json.loads((result / ENVELOPE).read_bytes())["payload"])
    signed = base64.b64encode(KEY.sign(payload)).decode()
    edit_json(result / ENVELOPE, signatures=[{"keyid": "", "sig": signed}])


def statement(name: str = ENVELOPE, **parts: object) -> Mutation:
    """Sign a statement that is changed."""
    return lambda result: reseal(result, statement_of(result, name) | parts, name)


def subject(path: object, digest: object = None) -> Mutation:
    """Sign a statement with one subject more."""

    def mutate(result: Path) -> None:
        said = statement_of(result)
        said["subject"].append({"name": path, "digest": digest or {"sha256": "0" * 64}})
        said["subject"].sort(key=lambda each: str(each["name"]))
        reseal(result, said)

    return mutate


def by_another_key(name: str) -> Mutation:
    """Sign one of the three with another key; the others stay."""

    def mutate(result: Path) -> None:
        if name == SSH_SIGNATURE:
            (result / name).write_bytes(sign_bytes((result / SUMS).read_bytes(), OTHER))
        else:
            payload = base64.b64decode(json.loads((result / name).read_bytes())["payload"])
            (result / name).write_bytes(seal(payload, OTHER))

    return mutate


def ssh(*, namespace: str, message: bytes | None = None) -> Mutation:
    def mutate(result: Path) -> None:
        signed = (result / SUMS).read_bytes() if message is None else message
        (result / SSH_SIGNATURE).write_bytes(sign_bytes(signed, KEY, namespace=namespace))

    return mutate


def replayed(*names: str) -> Mutation:
    """Put signatures of another good run in the place of this one's."""

    def mutate(result: Path) -> None:
        other = Path(shutil.copytree(result, result.parent / "other"))
        edit_json(other / "run.json", attempts=[{"event": "another"}])
        sign(other, key=KEY)
        for name in names:
            shutil.copy(other / name, result / name)

    return mutate


def shorter_sums(result: Path) -> None:
    """List one file less in SHA256SUMS, with a signature and a subject that fit."""
    said = statement_of(result)
    listed = {each["name"]: each["digest"]["sha256"] for each in said["subject"]}
    kept = {name: digest for name, digest in listed.items() if name not in {SUMS, "run.json"}}
    (result / SUMS).write_text(format_checksums(kept), encoding="utf-8")
    sums = (result / SUMS).read_bytes()
    (result / SSH_SIGNATURE).write_bytes(sign_bytes(sums, KEY))
    for name in (ENVELOPE, TEST_RESULT):
        said = statement_of(result, name)
        for each in said["subject"]:
            if each["name"] == SUMS:
                each["digest"]["sha256"] = sha256_bytes(sums)
        reseal(result, said, name)


def cell(name: str, column: str, value: object, row: int = 0) -> Mutation:
    def mutate(result: Path) -> None:
        edit_table(result / name, row, column, value)
        forge(result)

    return mutate


def stored_number(column: str, value: float) -> Mutation:
    """Change a number in rows.parquet."""

    def mutate(result: Path) -> None:
        rows = pd.read_parquet(result / "rows.parquet")
        edit_table(result / "rows.parquet", rows["low"].first_valid_index(), column, value)
        forge(result)

    return mutate


def text(name: str, old: str, new: str) -> Mutation:
    """Replace a text in a file and sign."""

    def mutate(result: Path) -> None:
        content = (result / name).read_text(encoding="utf-8")
        assert old in content
        (result / name).write_text(content.replace(old, new, 1), encoding="utf-8")
        forge(result)

    return mutate


def content(name: str, data: bytes) -> Mutation:
    """Replace a whole file and sign."""

    def mutate(result: Path) -> None:
        (result / name).write_bytes(data)
        forge(result)

    return mutate


def signed_again(change: Mutation) -> Mutation:
    """Do what `change` does and sign."""

    def mutate(result: Path) -> None:
        change(result)
        forge(result)

    return mutate


def bill(change: Callable[[list], object]) -> Mutation:
    """Change the SBOM's components and sign."""

    def mutate(result: Path) -> None:
        value = json.loads((result / BILL).read_bytes())
        change(value["components"])
        (result / BILL).write_text(json.dumps(value), encoding="utf-8")
        forge(result)

    return mutate


def claims(change: Callable[[list], object]) -> Mutation:
    """Change claims.json and sign."""

    def mutate(result: Path) -> None:
        value = json.loads((result / "claims.json").read_bytes())
        change(value["claims"])
        (result / "claims.json").write_text(json.dumps(value), encoding="utf-8")
        forge(result)

    return mutate


def manifest_claims(change: Callable[[list], object]) -> Mutation:
    """Change the claims of run.json's manifest, with a digest that fits, and sign."""

    def mutate(result: Path) -> None:
        run = json.loads((result / "run.json").read_bytes())
        change(run["manifest"]["claims"])
        edit_json(result / "run.json", manifest=run["manifest"],
                  manifest_digest=sha256_value(run["manifest"]))  # fmt: skip
        forge(result)

    return mutate


def truncated_parquet(result: Path) -> None:
    os.truncate(result / ANSWERS, (result / ANSWERS).stat().st_size - 7)
    forge(result)


def parquet_bomb(result: Path) -> None:
    """100 MB of equal answers, which the encoding folds into a few kilobytes."""
    count = 100_000
    row = {"record_id": "p0", "system": "vanilla", "text": "a" * 1000, "tokens": 1, "stop": "eos"}
    columns = {name: [value] * count for name, value in row.items()}
    pq.write_table(pa.table(columns, schema=SCHEMAS[ANSWERS]), result / ANSWERS)
    assert (result / ANSWERS).stat().st_size < 100_000
    forge(result)
