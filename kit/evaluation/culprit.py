"""At which question an engine fails, when it fails while it answers many."""

import traceback
from collections.abc import Sequence
from typing import Any, cast

from kit.errors import EnvironmentFault, KitError
from kit.evaluation.engines import Answer, Engine, Request
from kit.failures import out_of_memory


def naming(engine: Engine) -> Engine:
    """Return the engine; where it fails while it answers, the error names the question."""
    return cast("Engine", _Naming(engine))


class _Naming:
    """An engine, and beside it the search. Code that decides answers does not know of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer every request.

        Raises:
            EnvironmentFault: the engine fails at one question, which the error names.
        """
        try:
            return self._engine.answer(requests)
        except KitError:
            raise
        except Exception as error:
            failed = None if out_of_memory(error) else _culprit(requests, self._engine)
            if failed is None:
                raise
            raise _fault(failed, error) from error


def _fault(failed: Request, error: Exception) -> EnvironmentFault:
    said = str(error).strip().splitlines()
    fault = EnvironmentFault(
        f"the engine fails when it asks {failed.system} the question of {failed.record_id}",
        expected="an answer, as to the other questions",
        found=f"{type(error).__name__}: {said[0][:200]}" if said else type(error).__name__,
        remedy=f"look at the question and the picture of {failed.record_id}, or set "
        "evaluation.engine to another engine. Systems that were answered before are kept",
    )
    fault.traceback = "".join(traceback.format_exception(error))
    return fault


def _culprit(requests: Sequence[Request], engine: Engine) -> Request | None:
    """Return the first question at which the engine fails again and again, by halving.

    None if it does not fail a second time, or answers nothing any more.
    """
    left = list(requests)
    while len(left) > 1:
        half = left[: len(left) // 2]
        left = half if _fails(half, engine) else left[len(half) :]
    [last] = left
    others = [request for request in requests if request is not last][:1]
    if not _fails([last], engine) or (others and _fails(others, engine)):
        return None
    return last


def _fails(requests: list[Request], engine: Engine) -> bool:
    try:
        engine.answer(requests)
    except Exception as error:  # engines raise errors of many libraries
        return not out_of_memory(error)  # too little memory is no fault of a question
    return False
