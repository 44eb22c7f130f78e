"""What the formats read: a verified result with its tables, values and digests."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kit.digests import sha256_bytes
from kit.errors import VerificationError
from kit.metrics.record_sets import Measured
from kit.report.contents import Contents
from kit.report.facts import DefinitionFacts
from kit.result.layout import ANSWERS
from kit.result.sizes import most_bytes
from kit.result.stored import StoredResult
from kit.result.tree import read_bytes
from kit.verification.case import Verification


@dataclass(frozen=True)
class Exported:
    """A result that all checks have passed.

    `key` is the fingerprint of the key that signed it, `digests` is {path in the result: SHA-256}
    of all signed files, and `verification` says what was found.
    """

    folder: Path
    key: str
    run_name: str
    stored: StoredResult
    measured: Measured
    contents: Contents
    digests: Mapping[str, str]
    verification: Verification

    @classmethod
    def of(cls, found: Verification, folder: Path) -> "Exported":
        """Return what the formats read of a verification that kept tables and values."""
        kept = found.kept
        assert kept is not None, "verify(keep=True)"
        assert kept.measured is not None, "the strict policy"
        assert found.contents is not None, "the strict policy"
        return cls(
            folder, found.fingerprint, found.run_name, kept.stored, kept.measured, found.contents,
            kept.digests, found,
        )  # fmt: skip

    @property
    def run(self) -> Mapping[str, Any]:
        """Return the content of run.json."""
        return self.stored.run

    @property
    def title(self) -> str:
        """Return the title of the manifest, or its name."""
        return self.contents.facts["title"]

    @cached_property
    def definitions(self) -> Mapping[str, DefinitionFacts]:
        """Return the metrics of the report by name."""
        facts = self.contents.facts["definitions"]
        return {each["id"].partition("/")[0]: each for each in facts}

    @cached_property
    def _answers(self) -> Mapping[str, Mapping[str, tuple[str, str]]]:
        columns = ["system", "record_id", "text", "stop"]
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for system, record, text, stop in self.stored.tables[ANSWERS][columns].itertuples(
            index=False, name=None
        ):
            found.setdefault(system, {})[record] = text, stop
        return found

    def answers_of(self, system: str) -> Mapping[str, tuple[str, str]]:
        """Return {record id: (answer, why it ended)} of a system."""
        return self._answers[system]

    def read(self, name: str) -> bytes:
        """Return the bytes of a file of the result, which must still be those that were signed.

        Raises:
            VerificationError: they changed since the result was verified.
        """
        data = read_bytes(self.folder / name, max_bytes=most_bytes(name))
        if sha256_bytes(data) != self.digests[name]:
            raise VerificationError(
                f"{name} changed while it was exported",
                expected="the bytes that were signed",
                found="other bytes",
                remedy="stop what writes to it; start again",
            )
        return data
