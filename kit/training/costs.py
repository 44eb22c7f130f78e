"""Costs of a training job besides its seconds, also where the job was killed and resumed.

Two sums are kept apart. The cost of the finished adapter counts every optimisation step once: it is
the same however often the job was killed, and it is the number that methods are compared by. The
lost cost is that of steps between a checkpoint and a kill, which were repeated.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kit.model.weights import as_storage_errors
from kit.sums import add_up


class Passes:
    """Counts the records that went through the model, with or without gradient.

    Reference scalars belong to no step: each that the job uses counts as one record, once, even if
    another job with the same vanilla adapter had computed it. So the cost of a method does not
    depend on which other methods ran before.
    """

    def __init__(self) -> None:
        self.scalars: dict[tuple[str, str], float] = {}
        """(record id, answer) -> log pi_0(answer) in nats."""
        self._of_steps = 0

    @property
    def total(self) -> int:
        """The records of all steps so far, those before a checkpoint included."""
        return self._of_steps + len(self.scalars)

    def add(self, records: int) -> None:
        """Add the records of a finished step."""
        self._of_steps += records

    def state(self) -> dict[str, object]:
        """Return the state for a checkpoint, as JSON; it includes the scalars."""
        scalars = [[*pair, value] for pair, value in self.scalars.items()]
        return {"of_steps": self._of_steps, "scalars": scalars}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        self._of_steps = int(state["of_steps"])
        self.scalars.clear()
        self.scalars.update({(name, answer): value for name, answer, value in state["scalars"]})


class Journal:
    """Appends the cost of each step as it ends: a killed process cannot report it afterwards.

    A repeated step has a second line. The step that was running when a job was killed has none, so
    the lost cost excludes it.
    """

    def __init__(self, folder: Path, passes: Passes) -> None:
        self._path, self._passes = folder / "steps.jsonl", passes
        self._counted, self._since = passes.total, time.monotonic()

    def begin(self) -> None:
        """Start the clock of the next step."""
        self._since = time.monotonic()

    def note(self, step: int) -> None:
        """Append the cost since the previous step, or since this attempt began.

        Args:
            step: the number of steps done, this one included.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        now, counted = time.monotonic(), self._passes.total
        line = json.dumps([step, round(now - self._since, 6), counted - self._counted])
        self._since, self._counted = now, counted
        with as_storage_errors(self._path), self._path.open("a", encoding="utf-8") as stream:
            stream.write(f"\n{line}\n")  # the first line break ends a line that a kill cut off

    def lost(self, steps: int) -> dict[str, object] | None:
        """Return steps, seconds and forward passes that are not part of the finished adapter.

        Args:
            steps: how many steps the adapter was trained for.

        Returns None where no step was done twice.
        """
        lines = self._lines()
        last = {step: index for index, (step, _, _) in enumerate(lines) if step <= steps}
        kept = set(last.values())
        repeated = [line for index, line in enumerate(lines) if index not in kept]
        if not repeated:
            return None
        return {
            "steps": len(repeated),
            "seconds": round(add_up(seconds for _, seconds, _ in repeated), 3),
            "forward_passes": sum(passes for _, _, passes in repeated),
        }

    def remove(self) -> None:
        """Remove the journal of a finished job."""
        self._path.unlink(missing_ok=True)

    def _lines(self) -> list[tuple[int, float, int]]:
        if not self._path.is_file():
            return []
        lines = []
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            # Empty, cut off by a kill, or damaged by the disk.
            with suppress(ValueError, TypeError, OverflowError, RecursionError):
                step, seconds, passes = json.loads(line)
                lines.append((int(step), float(seconds), int(passes)))
        return lines
