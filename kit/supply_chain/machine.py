"""What a result says about where it was made: enough to compare, nothing that names a person.

No host name, user name, path, address or environment secret is read here.
"""

import json
import platform
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT
from kit.digests import sha256_file
from kit.experiment.manifest import Manifest
from kit.gpus import gpus

# What `./run.sh image build` wrote into the image; elsewhere the folder is not there.
IMAGE = PROJECT / "image"
TOLD = ("target", "base_image", "revision", "apt_snapshot", "sbom_digest")


def environment(manifest: Manifest) -> dict[str, Any]:
    """Return Python, packages, processor and thread count as JSON, and of which image, if any."""
    image = _image()
    if image:
        image["sbom_digest"] = image["records"]["sbom.cdx.json"]
    return {
        **{f"image_{name}": value for name, value in image.items() if name in TOLD},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "gpus": [asdict(card) for card in gpus()],
        "torch_threads": manifest.compute.threads,
        "lock_digest": sha256_file(lock_path()),
        "packages": {
            name: package.version
            for package in sorted(distributions(), key=lambda d: str(d.name).lower())
            if (name := str(package.name).lower())
        },
    }


def lock_path() -> Path:
    """Return the lock that this environment was installed from."""
    return PROJECT / str(_image().get("lock", "docker/requirements.cpu.lock"))


def _image() -> dict[str, Any]:
    """Return the inputs of the image that this runs in, or nothing."""
    path = IMAGE / "inputs.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    wide = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{named[0] if named else 'unknown'} ({', '.join(wide) or 'no wide vectors'})"
