"""`python -m kit.supply_chain`: called by docker/*.sh while an image is built, and afterwards."""

import json
import os
from pathlib import Path

import click

from kit.artifacts import PROJECT, write_bytes, write_json
from kit.digests import sha256_file
from kit.errors import EnvironmentFault
from kit.supply_chain.licences import licences, render
from kit.supply_chain.locks import PLATFORMS, find_mismatches, read_lock, read_requirements
from kit.supply_chain.provenance import ImageInputs, provenance
from kit.supply_chain.sbom import bill_of_materials, system_packages


@click.group()
def main() -> None:
    """What an image is made of."""


@main.command()
@click.argument("target", type=click.Choice(PLATFORMS))
@click.argument("folder", type=click.Path(path_type=Path))
def record(target: str, folder: Path) -> None:
    """Write SBOM, licences and inputs of this environment."""
    lock = PROJECT / "docker" / f"requirements.{target}.lock"
    locked, epoch = read_lock(lock), int(os.environ.get("SOURCE_DATE_EPOCH") or 0)
    wrong = find_mismatches(
        read_requirements(PROJECT / "docker" / "requirements.in", target), locked
    )
    if wrong:
        raise EnvironmentFault(
            f"{lock.name} does not match requirements.in",
            expected="every requirement, in the version that it requires",
            found="; ".join(wrong),
            remedy=f"docker/lock.sh {target}",
        )
    revision, found = os.environ.get("REVISION", "unknown"), licences()
    write_json(
        folder / "sbom.cdx.json",
        bill_of_materials(
            locked,
            found,
            system_packages(),
            name=f"pebench-kit-{target}",
            revision=revision,
            epoch=epoch,
        ),
    )
    write_bytes(folder / "licences.txt", render(found).encode())
    records = {name: sha256_file(folder / name) for name in ("sbom.cdx.json", "licences.txt")}
    inputs: ImageInputs = {
        "target": target,
        "base_image": os.environ.get("BASE_IMAGE", "unknown"),
        "apt_snapshot": os.environ.get("APT_SNAPSHOT", ""),
        "revision": revision,
        "source_date_epoch": epoch,
        "lock": lock.relative_to(PROJECT).as_posix(),
        "lock_sha256": sha256_file(lock),
        "records": records,
    }
    write_json(folder / "inputs.json", inputs)


@main.command(name="provenance")
@click.argument("image")
@click.argument("image_id")
@click.argument("builder")
def provenance_(image: str, image_id: str, builder: str) -> None:
    """Print the provenance of this image."""
    inputs: ImageInputs = json.loads(
        (PROJECT / "image" / "inputs.json").read_text(encoding="utf-8")
    )
    statement = provenance(
        inputs, image=image, image_id=image_id.removeprefix("sha256:"), builder=builder
    )
    click.echo(json.dumps(statement, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
