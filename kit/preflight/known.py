"""Sizes of base and records for estimates: as found on this disk, else as published."""

from dataclasses import dataclass

from kit.errors import KitError
from kit.experiment.manifest import Manifest
from kit.plan.memory import RecordSize
from kit.plan.published import PUBLISHED
from kit.plan.sizes import BaseSizes
from kit.plan.without_packages import is_standing_in
from kit.sources.datasets import base_folder


@dataclass(frozen=True)
class Known:
    """What estimates start from; `source` says in words where it is from."""

    sizes: BaseSizes
    record: RecordSize
    source: str


def known_base(manifest: Manifest) -> BaseSizes | None:
    """Return the sizes of a manifest's base; None if they are not known."""
    if _is_here(manifest) and not is_standing_in():
        from kit.preflight.ready import require_base

        try:
            return require_base(manifest).sizes
        except KitError:
            return None  # the doctor says what is wrong with it
    published = PUBLISHED.get(manifest.model.source.repo or "")
    return published.sizes if published else None


def known_sizes(manifest: Manifest) -> Known | None:
    """Return what is known of a manifest's base and records; None if the base is not known."""
    published, sizes = PUBLISHED.get(manifest.model.source.repo or ""), known_base(manifest)
    if sizes is None:
        return None
    if _is_here(manifest):
        from kit.preflight.ready import known_records

        tokens = known_records(manifest)
        if tokens is not None:
            record = RecordSize(tokens.training, tokens.answer)
            return Known(sizes, record, f"the longest record has {record.tokens} tokens")
        if published is not None:
            return Known(sizes, published.record, _assumed(published.record))
        return None
    if published is None:
        return None
    return Known(
        published.sizes,
        published.record,
        f"sizes of the base as published, {_assumed(published.record)}",
    )


def _is_here(manifest: Manifest) -> bool:
    return (base_folder(manifest) / "config.json").is_file()


def _assumed(record: RecordSize) -> str:
    return f"{record.tokens} tokens a record assumed"
