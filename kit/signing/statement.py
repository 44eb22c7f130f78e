"""The in-toto Statement v1 of a result: one subject per file, and a predicate about all of them.

A result has two statements about the same files: what was run (`kit.signing.predicate`) and which
claims hold (`kit.signing.claim_attestation`).
Source: in-toto/attestation v1.2.0, spec/v1/statement.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from kit.digests import canonical_json
from kit.names import case_collisions, name_fault
from kit.result.layout import SIGNING_FILES, SUMS
from kit.result.strict_json import parse_json
from kit.signing.envelope import malformed

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


@dataclass(frozen=True)
class Statement:
    """A checked statement: {path: SHA-256} of every file, and the predicate."""

    subjects: Mapping[str, str]
    predicate: Mapping[str, object]


def build(
    digests: Mapping[str, str], predicate_type: str, predicate: Mapping[str, object]
) -> bytes:
    """Return the statement about `digests` ({path: SHA-256}, SHA256SUMS included)."""
    subjects = [{"name": name, "digest": {"sha256": digests[name]}} for name in sorted(digests)]
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": subjects,
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def read(payload: bytes, predicate_type: str) -> Statement:
    """Check a signed payload and return its content.

    Raises:
        SignatureError: the payload is not a statement of this type and version, or its subjects
            are not a sorted list of different, safe, relative paths with one SHA-256 each.
    """
    try:
        value = parse_json(payload)
    except ValueError as error:
        raise malformed(f"the statement is not acceptable JSON: {error}") from None
    if not isinstance(value, dict) or value.get("_type") != STATEMENT_TYPE:
        raise malformed(f"the payload is not of type {STATEMENT_TYPE}")
    if value.get("predicateType") != predicate_type:
        raise malformed(f"predicateType {value.get('predicateType')!r} is not {predicate_type!r}")
    if set(value) != {"_type", "subject", "predicateType", "predicate"}:
        raise malformed(f"its fields are not those of a statement: {sorted(value)!a}")
    listed, content = value["subject"], value["predicate"]
    if not isinstance(listed, list) or not listed:
        raise malformed("the statement lists no files")
    if not isinstance(content, dict):
        raise malformed("the statement has no predicate")
    names = [_subject_name(subject) for subject in listed]
    if names != sorted(set(names)):
        raise malformed("its files are not sorted, or one is listed twice")
    for first, second in case_collisions(names):
        raise malformed(f"{first!a} and {second!a} differ only by letter case")
    if SUMS not in names:
        raise malformed(f"{SUMS} is not among its files")
    digests = [subject["digest"]["sha256"] for subject in listed]
    return Statement(dict(zip(names, digests, strict=True)), content)


def _subject_name(subject: object) -> str:
    """Return the path of one subject, checked together with its digest."""
    name = subject.get("name") if isinstance(subject, dict) else None
    if not isinstance(name, str) or name in SIGNING_FILES:
        raise malformed(f"a file is named {name!a}")
    for part in name.split("/"):
        if fault := name_fault(part):
            raise malformed(f"the path {name!a} is not safe: {fault}")
    digest = subject.get("digest") if isinstance(subject, dict) else None
    if not isinstance(digest, dict) or set(digest) != {"sha256"}:
        raise malformed(f"the digest of {name!a} is not one sha256")
    found = digest["sha256"]
    if not isinstance(found, str) or len(found) != 64 or set(found) - set("0123456789abcdef"):
        raise malformed(f"the sha256 of {name!a} is not 64 hexadecimal digits")
    if not isinstance(subject, dict) or set(subject) != {"name", "digest"}:
        raise malformed(f"{name!a} has other fields than a name and a digest")
    return name
