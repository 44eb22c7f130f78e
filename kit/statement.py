"""The in-toto Statement v1 of a result: one subject per file, and what was run as predicate.

Source: in-toto/attestation v1.2.0, spec/v1/statement.md. The predicate repeats what run.json says
and nothing else, so that a verifier can recompute it and no second truth can be signed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from kit.digests import canonical_json
from kit.envelope import malformed
from kit.result_tree import ENVELOPE, SUMS, case_collisions, name_fault
from kit.strict_json import parse_json

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:pebench-kit:results:v1"
Part = TypeVar("Part")


@dataclass(frozen=True)
class Statement:
    """A checked statement: {path: SHA-256} of every file, and the predicate."""

    subjects: Mapping[str, str]
    predicate: Mapping[str, object]


def build(digests: Mapping[str, str], run: Mapping[str, object]) -> bytes:
    """Return the statement over `digests` ({path: SHA-256}, SHA256SUMS among them).

    Raises:
        ValueError: `run` (run.json) lacks what the predicate repeats.
    """
    subjects = [{"name": name, "digest": {"sha256": digests[name]}} for name in sorted(digests)]
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": subjects,
            "predicateType": PREDICATE_TYPE,
            "predicate": predicate(run),
        }
    )


def predicate(run: Mapping[str, object]) -> dict[str, object]:
    """Return the predicate that follows from run.json.

    The environment is cut to its scalar entries: the list of packages stays in run.json, which is
    a subject. A source stands for its bytes by the digest of their checksum list; one that is not
    locked was used without a committed list.

    Raises:
        ValueError: a part is missing or of another type.
    """
    manifest = _part(run, "manifest", dict)
    environment = _part(run, "environment", dict)
    systems = _part(run, "systems", list)
    sources = _part(run, "sources", list)
    return {
        "manifest": {
            "name": _part(manifest, "name", str),
            "digest": {"sha256": _part(run, "manifest_digest", str)},
        },
        "kit_version": _part(run, "kit_version", str),
        "environment": {
            name: value
            for name, value in environment.items()
            if value is None or isinstance(value, str | int | float | bool)
        },
        "sources": [
            {
                "name": _part(source, "name", str),
                "digest": {"sha256": _part(source, "list_digest", str)},
                "locked": _part(source, "locked", bool),
            }
            for source in sources
        ],
        "systems": [_part(system, "name", str) for system in systems],
    }


def read(payload: bytes) -> Statement:
    """Check a signed payload and return its content.

    Raises:
        SignatureError: it is not a statement about a result, or its subjects are not a sorted
            list of different, safe, relative paths with one SHA-256 each.
    """
    try:
        value = parse_json(payload)
    except ValueError as error:
        raise malformed(f"the statement is not acceptable JSON: {error}") from None
    if not isinstance(value, dict) or value.get("_type") != STATEMENT_TYPE:
        raise malformed(f"the payload is not of type {STATEMENT_TYPE}")
    if value.get("predicateType") != PREDICATE_TYPE:
        raise malformed(f"predicateType {value.get('predicateType')!r} is not {PREDICATE_TYPE!r}")
    listed, content = value.get("subject"), value.get("predicate")
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
    if not isinstance(name, str) or name == ENVELOPE:
        raise malformed(f"a file is named {name!a}")
    for part in name.split("/"):
        if fault := name_fault(part):
            raise malformed(f"the path {name!a} is not safe: {fault}")
    digest = subject.get("digest") if isinstance(subject, dict) else None
    if not isinstance(digest, dict) or set(digest) != {"sha256"}:
        raise malformed(f"{name!a} has another digest than one sha256")
    found = digest["sha256"]
    if not isinstance(found, str) or len(found) != 64 or set(found) - set("0123456789abcdef"):
        raise malformed(f"the sha256 of {name!a} is not 64 hexadecimal digits")
    return name


def _part(value: object, name: str, kind: type[Part]) -> Part:
    part = value.get(name) if isinstance(value, dict) else None
    if not isinstance(part, kind):
        raise ValueError(f"{name} is missing or not {kind.__name__}")
    return part
