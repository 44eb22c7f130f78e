"""What the driver says to an interpreter on a node, and what that says back: lines of JSON."""

import json
from dataclasses import asdict, dataclass

from kit.experiment.manifest import Manifest


@dataclass(frozen=True)
class Request:
    """A piece of work: whatever it means follows from the manifest and the kit's own code."""

    kind: str
    """One of `kit.cluster.kinds.KINDS`."""
    manifest: str
    """The resolved manifest, as JSON."""
    digests: tuple[str, ...] = ()
    """Of the artifacts that it is about; none where it is about the whole plan."""
    place: str = ""
    """What it works on, for messages."""
    needs: tuple[str, ...] = ()
    """What it reads, by paths below the cache: finished artifacts and data."""
    makes: tuple[str, ...] = ()
    """The artifacts that it makes, by paths below the cache."""

    def encoded(self) -> str:
        """Return the request as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def decoded(cls, line: str) -> "Request":
        """Return the request of a line."""
        values = json.loads(line)
        lists = {name: tuple(values[name]) for name in ("digests", "needs", "makes")}
        return cls(**{**values, **lists})


def written(manifest: Manifest) -> str:
    """Return a manifest as `read` reads it: every value, those of this machine included."""
    return manifest.model_dump_json()


def read(text: str) -> Manifest:
    """Return the manifest that was written."""
    return Manifest.model_validate_json(text)
