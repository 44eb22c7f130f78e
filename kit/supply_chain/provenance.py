"""How an image was built: an in-toto statement whose predicate is SLSA's provenance, version 1.

It is not signed: whoever builds the image makes it, and signs it if others are to rely on it.
"""

import re
from typing import Any

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:pebench-kit:image-build:1"
BUILDER = "urn:pebench-kit:run.sh"


def provenance(
    inputs: dict[str, Any], *, image: str, image_id: str, builder: str
) -> dict[str, Any]:
    """Return the statement about one built image.

    Args:
        inputs: `image/inputs.json` of the image.
        image: its name.
        image_id: the SHA-256 of its configuration, in hexadecimal digits.
        builder: program and version that built it.
    """
    return {
        "_type": STATEMENT,
        "subject": [{"name": image, "digest": {"sha256": image_id}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "target": inputs["target"],
                    "baseImage": inputs["base_image"],
                    "aptSnapshot": inputs["apt_snapshot"] or None,
                },
                "internalParameters": {"sourceDateEpoch": inputs["source_date_epoch"]},
                "resolvedDependencies": _dependencies(inputs),
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"cli": builder}},
                "byproducts": [
                    {"name": name, "digest": {"sha256": digest}}
                    for name, digest in sorted(inputs["records"].items())
                ],
            },
        },
    }


def _dependencies(inputs: dict[str, Any]) -> list[dict[str, Any]]:
    name, _, digest = str(inputs["base_image"]).partition("@sha256:")
    base: dict[str, Any] = {"name": "base image", "uri": f"oci://{name}"}
    if digest:
        base["digest"] = {"sha256": digest}
    source: dict[str, Any] = {"name": "source", "annotations": {"revision": inputs["revision"]}}
    if re.fullmatch(r"[0-9a-f]{40}", str(inputs["revision"])):
        source["digest"] = {"gitCommit": inputs["revision"]}
    source["uri"] = "git+file:."
    locked: dict[str, Any] = {"name": "packages", "uri": inputs["lock"]}
    locked["digest"] = {"sha256": inputs["lock_sha256"]}
    return [base, source, locked]
