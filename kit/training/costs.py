"""What a training job costs beside its seconds, also where it was killed and went on.

Two sums are kept apart. What the finished adapter took counts every optimisation step once: it is
the same however often the job was killed, and the number that methods are compared by. What was
lost are the steps between a checkpoint and a kill, which were done again.
"""

import json
import time
from pathlib import Path
from typing import Any

from kit.model.weights import storing


class Passes:
    """How many records went through the model, with or without gradient; each counts as one.

    By step, because an attempt that did not fit into memory is made again. The reference scalars
    among them belong to no step: each is computed once for all of them.
    """

    def __init__(self) -> None:
        self.scalars: dict[tuple[str, str], float] = {}
        """(record id, answer) -> log pi_0(answer)."""
        self._earlier = 0  # of the steps before the checkpoint that this attempt started from
        self._of_step: dict[int, int] = {}
        self._number = 0

    @property
    def total(self) -> int:
        """Of the steps done so far, those before a checkpoint among them."""
        return self._earlier + sum(self._of_step.values()) + len(self.scalars)

    def begin(self, number: int) -> None:
        """Count for this step from nothing."""
        self._of_step[number], self._number = 0, number

    def count(self, records: int) -> None:
        """Add so many records to the step that was begun last."""
        self._of_step[self._number] += records

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, as JSON: the scalars too, so that none is paid twice."""
        scalars = [[*pair, value] for pair, value in self.scalars.items()]
        return {"of_steps": self.total - len(self.scalars), "scalars": scalars}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._earlier = int(state["of_steps"])
        self.scalars = {(name, answer): value for name, answer, value in state["scalars"]}


class Journal:
    """What each step took, written when it ends: who is killed has no time to say it.

    A step that is done again has a second line. The step under way when a job was killed has none,
    so what was lost is told up to that step.
    """

    def __init__(self, folder: Path, passes: Passes) -> None:
        self._path, self._passes = folder / "steps.jsonl", passes
        self._counted, self._since = passes.total, time.monotonic()

    def begin(self) -> None:
        """Take the time from now on."""
        self._since = time.monotonic()

    def note(self, step: int) -> None:
        """Append what was spent since the step before, or since this attempt began.

        Args:
            step: how many steps are done with it.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        now, counted = time.monotonic(), self._passes.total
        line = json.dumps([step, round(now - self._since, 6), counted - self._counted])
        self._since, self._counted = now, counted
        with storing(self._path), self._path.open("a", encoding="utf-8") as stream:
            stream.write(f"\n{line}\n")  # first the end of a line that a kill has cut

    def lost(self, steps: int) -> dict[str, Any] | None:
        """Return steps, seconds and forward passes that are no part of the finished adapter.

        Args:
            steps: how many it was trained for.

        Returns None where no step was done twice.
        """
        lines = self._lines()
        last = {step: place for place, (step, _, _) in enumerate(lines) if step <= steps}
        kept = set(last.values())
        again = [line for place, line in enumerate(lines) if place not in kept]
        if not again:
            return None
        return {
            "steps": len(again),
            "seconds": round(sum(seconds for _, seconds, _ in again), 3),
            "forward_passes": sum(passes for _, _, passes in again),
        }

    def remove(self) -> None:
        """Forget the steps of a finished job."""
        self._path.unlink(missing_ok=True)

    def _lines(self) -> list[tuple[int, float, int]]:
        if not self._path.is_file():
            return []
        lines = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                step, seconds, passes = json.loads(line)
            except (ValueError, TypeError):  # empty, or cut off by a kill
                continue
            lines.append((int(step), float(seconds), int(passes)))
        return lines
