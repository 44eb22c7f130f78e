"""What a result records about the machine it was made on: enough to compare, nothing personal.

This module reads no host name, user name, path, address or secret.
"""

import json
import os
import platform
import re
import subprocess
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from kit.artifacts import PROJECT
from kit.digests import sha256_file
from kit.experiment.manifest import Manifest
from kit.gpus import gpus
from kit.supply_chain.provenance import ImageInputs

# Written by `./run.sh image build`; the folder exists only in an image.
IMAGE = PROJECT / "image"
# What runs: a manifest or a checksum list of one's own does not change the program.
PROGRAM = ("run.sh", "kit", "docker")
CUDA_RUNTIME = "nvidia-cuda-runtime"
REVISION = r"[0-9a-f]{40}([0-9a-f]{24})?(-changed)?"


def environment(manifest: Manifest) -> dict[str, object]:
    """Return Python, packages, processor, GPUs, thread count and, in an image, its identity."""
    return {
        **_image_fields(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": processor(),
        "gpus": [asdict(card) for card in gpus()],
        "torch_threads": manifest.compute.threads,
        "lock_digest": sha256_file(lock_path()),
        "packages": installed_packages(),
    }


def installed_packages() -> dict[str, str]:
    """Return {name: version} of everything that is installed, by name."""
    return {
        name: package.version
        for package in sorted(distributions(), key=lambda d: str(d.name).lower())
        if (name := str(package.name).lower())
    }


def source_revision() -> str | None:
    """Return the git commit of the kit's source, or None where it is not known.

    `-changed` follows the commit where files of the program differ from it. In an image it is the
    commit that the image was built from.
    """
    image = _read_image()
    if image is not None and re.fullmatch(REVISION, image["revision"]):
        return image["revision"]
    if _git("rev-parse", "--show-toplevel") != str(PROJECT):
        return None  # no repository, or the kit is a folder of another one
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", *PROGRAM)
    if commit is None or changes is None or not re.fullmatch(REVISION, commit):
        return None
    return f"{commit}-changed" if changes else commit


def _git(*arguments: str) -> str | None:
    """Return what git says of the project; None without git or where it refuses."""
    settings = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", str(PROJECT), *arguments]
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, check=True, env=settings, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip()


def locked_platform() -> str:
    """Return the platform whose lock this environment was installed from: cpu or gpu.

    An image states it. Elsewhere CUDA's runtime tells: only the gpu lock has that package.
    """
    image = _read_image()
    if image is not None:
        return image["target"]
    try:
        version(CUDA_RUNTIME)
    except PackageNotFoundError:
        return "cpu"
    return "gpu"


def lock_path() -> Path:
    """Return the lock file from which this environment was installed."""
    image = _read_image()
    name = image["lock"] if image else f"docker/requirements.{locked_platform()}.lock"
    return PROJECT / name


def _read_image() -> ImageInputs | None:
    """Return the build inputs of the image that this runs in, None outside an image."""
    path = IMAGE / "inputs.json"
    if not path.is_file():
        return None
    image: ImageInputs = json.loads(path.read_text(encoding="utf-8"))
    return image


def _image_fields() -> dict[str, str]:
    image = _read_image()
    if image is None:
        return {}
    return {
        "image_target": image["target"],
        "image_base_image": image["base_image"],
        "image_revision": image["revision"],
        "image_apt_snapshot": image["apt_snapshot"],
        "image_sbom_digest": image["records"]["sbom.cdx.json"],
    }


def processor() -> str:
    """Return the name of this machine's processor, and which wide vectors it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    wide = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{named[0] if named else 'unknown'} ({', '.join(wide) or 'no wide vectors'})"
