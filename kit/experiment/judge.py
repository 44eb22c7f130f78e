"""The section `[judge]`: another model reads the answers, and says how well they agree."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from kit.errors import ManifestError
from kit.experiment.inputs import SourceSection
from kit.experiment.section import Section

# What the prompt must name once each, and what takes its place.
PLACES = ("{question}", "{reference}", "{answer}")
_PLACE = re.compile("|".join(map(re.escape, PLACES)))
JUDGE = "judge"  # the family of metrics


class JudgeSection(Section):
    """A second model reads question, reference and answer, and chooses one of some replies.

    It sees no image. `evaluation.metrics` names the family `judge` as well. The prompt is part of
    the manifest, so its digest is part of the result's; no other service is asked.
    """

    source: SourceSection
    """Files of the judge, as `[judge.source]`: an open model of a supported family, at a pinned
    revision."""
    compute_dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Number format of the computation. The weights are in NF4."""
    prompt: Annotated[str, Field(max_length=8000)]
    """What the judge reads. It names `{question}`, `{reference}` and `{answer}` once each."""
    replies: Annotated[dict[str, float], Field(min_length=2, max_length=16)]
    """Replies to choose from, and the value of each in [0, 1]: `{ Yes = 1.0, No = 0.0 }`."""


def filled(prompt: str, question: str, reference: str, answer: str) -> str:
    """Return the prompt with the texts in their places; braces in the texts mean nothing."""
    texts = dict(zip(PLACES, (question, reference, answer), strict=True))
    return _PLACE.sub(lambda found: texts[found[0]], prompt)


def require_judge(section: JudgeSection | None, metrics: tuple[str, ...], origin: str) -> None:
    """Check that the section is there if, and only if, its metrics are asked for, and is sound.

    Args:
        metrics: `evaluation.metrics`.
        origin: the manifest's file, for errors.

    Raises:
        ManifestError: it is not; or the prompt lacks a place, or a value is not in [0, 1].
    """
    if (section is not None) != (JUDGE in metrics):
        has, lacks = "[judge]", "'judge' in evaluation.metrics"
        if section is None:
            has, lacks = lacks, has
        raise ManifestError(
            f"{origin}: there is {has}, but no {lacks}",
            expected="both, or neither",
            found=f"{has} alone",
            remedy=f"add {lacks}, or remove {has}",
        )
    if section is None:
        return
    for place in PLACES:
        if (times := section.prompt.count(place)) != 1:
            raise ManifestError(
                f"{origin}: judge.prompt names {place} {times} times",
                expected=f"{', '.join(PLACES)} once each",
                found=f"{place} {times} times",
                remedy="correct the prompt",
            )
    _require_replies(section.replies, origin)


def _require_replies(replies: Mapping[str, float], origin: str) -> None:
    for reply, value in replies.items():
        if not reply.strip() or reply != reply.strip() or not 0 <= value <= 1:
            raise ManifestError(
                f"{origin}: judge.replies: {reply!r} = {value:g} is not valid",
                expected="a text without blanks around it, and a value in [0, 1]",
                found=f"{reply!r} = {value:g}",
                remedy="correct it",
            )
    if len(set(replies.values())) == 1:
        raise ManifestError(
            f"{origin}: all judge.replies have the same value",
            expected="at least two values: otherwise nothing is measured",
            found=", ".join(f"{reply!r} = {value:g}" for reply, value in replies.items()),
            remedy="change one of them",
        )
