"""Why MIP-Editor varies from seed to seed on the small experiment: neurons or steering?

    ./run.sh bench steering 201 202

For each of the seeds: the neurons that are removed, what their removal does alone, and the trained
adapter with the direction of each of the seeds. It starts from the vanilla model in the cache.
"""

import sys
from dataclasses import dataclass
from typing import ClassVar
from unittest.mock import patch

from kit.methods import Needs
from kit.methods.mip_editor import MIPEditor
from kit.training.preparation import hidden_states
from tests.bench.small_runs import SmallRuns, said

ENTRY = "mip-editor"


@dataclass(frozen=True)
class Unsteered(MIPEditor):
    """Removes the neurons and trains nothing."""

    needs: ClassVar[Needs] = Needs(retain=True, neurons=True, training_free=True)


def main() -> int:
    """Print what neurons and directions do for the seeds that are named."""
    runs, seeds = SmallRuns(), [int(each) for each in sys.argv[1:] or ("201", "202")]
    options = next(e.options for e in runs.manifest.methods if e.name == ENTRY)
    chosen = []
    for seed in seeds:
        alone = runs.outcome(runs.job(ENTRY, seed, Unsteered(**options)))
        chosen.append(alone.neurons)
        count, same = sum(map(len, alone.neurons.values())), alone.neurons == chosen[0]
        print(f"seed {seed}: {count} neurons, {'those' if same else 'not those'} of {seeds[0]}")
        print(f"seed {seed}, these removed: {said(alone)}", flush=True)
        for other in seeds:
            drawn = hidden_states.direction
            with patch.object(hidden_states, "direction", lambda w, _, o=other, d=drawn: d(w, o)):
                whole = runs.outcome(runs.job(ENTRY, seed, MIPEditor(**options)))
            print(f"seed {seed}, steered as {other}: {said(whole)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
