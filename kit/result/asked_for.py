"""What the manifest in a run.json asks for beside the metrics of its tables."""

from collections.abc import Mapping

from kit.result.layout import RUN
from kit.result.run_file import manifest_of
from kit.result.unusable import unusable


def families_of(run: Mapping[str, object]) -> tuple[str, ...]:
    """Return the families of further metrics that the manifest asks for.

    Raises:
        VerificationError: they are no list of names.
    """
    evaluation = manifest_of(run).get("evaluation", {})
    named = evaluation.get("metrics", []) if isinstance(evaluation, dict) else None
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise unusable(RUN, "manifest.evaluation.metrics is no list of names")
    return tuple(named)


def options_of(run: Mapping[str, object]) -> Mapping[str, object]:
    """Return the options of the benchmark; {} without any."""
    benchmark = manifest_of(run).get("benchmark")
    options = benchmark.get("options") if isinstance(benchmark, dict) else None
    return options if isinstance(options, dict) else {}


def replies_of(run: Mapping[str, object]) -> dict[str, float]:
    """Return the replies of the judge and the value of each, in [0, 1]; {} without a judge.

    Raises:
        VerificationError: they are no such values.
    """
    judge = manifest_of(run).get("judge")
    if judge is None:
        return {}
    replies = judge.get("replies") if isinstance(judge, dict) else None
    if not isinstance(replies, dict) or len(replies) < 2:
        raise unusable(RUN, "manifest.judge.replies are no values of replies")
    for value in replies.values():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise unusable(RUN, "manifest.judge.replies has a value outside [0, 1]")
    return {reply: float(value) for reply, value in replies.items()}
