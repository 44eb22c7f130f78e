"""What a manifest may set of a benchmark: its targets, percentages, options and the data's source.

A loader states it as constants, so it is checked when a manifest is planned, before any data.

PROTOCOL   its targets are those that can be forgotten
SOURCE     the name of the [[sources]] entry that every manifest needs
PERCENTS   the published values of `split.forget_percent`; without it, any
OPTIONS    a dataclass of the options of [benchmark]; without it, there are none
"""

from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

from kit.errors import ManifestError, unknown
from kit.experiment.manifest import Manifest
from kit.experiment.options import built

Options = TypeVar("Options")


@dataclass(frozen=True)
class NoOptions:
    """The options of a benchmark that has none."""


def options_of(kind: type[Options], manifest: Manifest) -> Options:
    """Return the options of a benchmark, with their defaults.

    Raises:
        ManifestError: an option does not exist, or a value is not valid.
    """
    return built(
        kind,
        manifest.benchmark.options,
        f"benchmark '{manifest.benchmark.loader}'",
        origin=f"{manifest.origin_of('benchmark.options')}: benchmark.options",
        remedy="see kit/benchmarks/README.md",
    )


def require_settings(loader: ModuleType, manifest: Manifest) -> None:
    """Check what a manifest sets of a benchmark.

    Args:
        loader: the benchmark's module.

    Raises:
        ManifestError: it has no such target, percentage or option, or the source is missing.
    """
    name, targets = manifest.benchmark.loader, list(loader.PROTOCOL.targets)
    # A manifest that extends another may run fewer targets and keep the steps of all of them.
    for where, named in (
        ("targets", manifest.targets),
        ("unlearn.target_steps", manifest.unlearn.target_steps),
    ):
        for target in named:
            if target not in targets:
                at = manifest.origin_of(where)
                what = f"{at}: {where}: benchmark '{name}' has no target '{target}'"
                raise unknown(what, target, targets, remedy=f"correct `{where}`")
    percent, published = manifest.split.forget_percent, getattr(loader, "PERCENTS", ())
    if published and percent not in published:
        where = "split.forget_percent"
        raise ManifestError(
            f"{manifest.origin_of(where)}: {where} is not a published split of benchmark '{name}'",
            expected=f"one of {', '.join(map(str, published))}",
            found=percent,
            remedy="set it to one of these",
        )
    options_of(getattr(loader, "OPTIONS", NoOptions), manifest)
    sources = [source.name for source in manifest.sources]
    if loader.SOURCE not in sources:
        raise ManifestError(
            f"{manifest.origin_of('sources')}: there is no source '{loader.SOURCE}', which "
            f"benchmark '{name}' reads",
            expected=f'a [[sources]] entry with name = "{loader.SOURCE}"',
            found=", ".join(sources),
            remedy="correct the name of the source",
        )
