"""A fresh interpreter on a node: reads requests from its standard input, and replies to each.

`python -P -m kit.cluster.child PARENT DESCRIPTOR`, started by `kit.cluster.interpreter`. It dies
with its parent. Whatever fails comes back as an error of the kit.
"""

import json
import os
import sys

from kit.cluster.faults import fields_of
from kit.cluster.kinds import Worker, artifacts, names_of
from kit.cluster.request import Request, read
from kit.failures import kit_error
from kit.plan.jobs import Plan, make_plan
from kit.stages.workers import die_with_parent


class Child:
    """Answers requests; keeps the last manifest's plan, and the worker that works on it."""

    def __init__(self) -> None:
        self._manifest = ""
        self._plan: Plan | None = None
        self._worker: Worker | None = None

    def reply(self, line: str) -> dict[str, object]:
        """Do what a request asks for, and return what came of it."""
        request = Request.decoded(line)
        try:
            return {"done": self._do(request)}
        except BaseException as error:
            return {"error": fields_of(kit_error(error, request.place))}

    def _do(self, request: Request) -> object:
        if self._plan is None or self._worker is None or request.manifest != self._manifest:
            self._manifest, self._plan = request.manifest, make_plan(read(request.manifest))
            self._worker = Worker(self._plan)
        names = names_of(request.kind, self._plan, request.digests)
        made = artifacts(request.kind, self._plan)
        # An earlier attempt may have finished a part.
        waiting = [name for name in names if not made[name].done]
        if request.digests and not waiting:
            return None
        return self._worker.do(request.kind, waiting)


def main(parent: int, descriptor: int) -> None:
    """Serve until the parent closes the pipe."""
    die_with_parent(parent)
    child = Child()
    with os.fdopen(descriptor, "w", encoding="utf-8") as replies:
        for line in sys.stdin:
            replies.write(json.dumps(child.reply(line)) + "\n")
            replies.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
