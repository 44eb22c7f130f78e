"""What a result says about where it was made: enough to compare, nothing that names a person.

No host name, user name, path, address or environment secret is read here.
"""

import platform
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from kit.artifacts import PROJECT
from kit.digests import sha256_file
from kit.manifest import Manifest

LOCK = PROJECT / "docker" / "requirements.cpu.lock"


def environment(manifest: Manifest) -> dict[str, Any]:
    """Return Python, packages, processor and thread count as JSON."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "torch_threads": manifest.compute.threads,
        "lock_digest": sha256_file(LOCK),
        "packages": {
            name: package.version
            for package in sorted(distributions(), key=lambda d: str(d.name).lower())
            if (name := str(package.name).lower())
        },
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    wide = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{named[0] if named else 'unknown'} ({', '.join(wide) or 'no wide vectors'})"
