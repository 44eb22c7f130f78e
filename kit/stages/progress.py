"""How far a run is: its stage, finished jobs, their rate, and the time that is left of the whole.

A job is finished when its artifact exists, so workers report nothing. The time that is left follows
from the finished jobs of this run, with all loading and waiting between them. For a kind of work
that has none yet, it follows from earlier runs on this machine. Work that neither tells is named,
and not guessed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic

from kit.console import (
    QUIET,
    REPORT_SECONDS,
    clear_status,
    duration,
    event,
    head,
    is_live,
    mode,
    silent_seconds,
    status,
)
from kit.plan.jobs import Plan
from kit.stages.expected import Expectations
from kit.stages.history import Stopwatch, read_history
from kit.stages.pace import Pace, jobs_of

LOOK_SECONDS = 1.0  # between two looks at what exists; on a terminal, the status is drawn as often


class Progress:
    """The stages of a call, and the pace of their jobs.

    Args:
        names: of the stages, in their order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._stage, self._started = "", monotonic()
        self._pace = Pace(())
        self._stopwatch: Stopwatch | None = None
        self._lock = Lock()

    def expect(self, plan: Plan, *, local: bool = True) -> None:
        """Count the jobs that are left of the plan's stages.

        Args:
            local: this machine does the work. Times of other machines are neither kept nor used.
        """
        jobs = [job for job in jobs_of(plan) if job.stage in self._names]
        with self._lock:
            if not local:
                self._pace, self._stopwatch = Pace(jobs), None
                return
            expected = Expectations(plan.manifest, read_history())
            self._pace, self._stopwatch = Pace(jobs, expected.seconds), Stopwatch(plan.manifest)

    def begin(self, name: str) -> None:
        """Note that a stage begins, and say so where there are several."""
        with self._lock:
            self._look()
            self._stage, self._started = name, monotonic()
            self._pace.begin(self._started)
            if self._stopwatch is not None:
                self._stopwatch.begin()
            if len(self._names) > 1:
                head(self._place())
            event("stage", **self._facts())

    def show(self) -> None:
        """Show how far the work is, unless something was printed a short while ago."""
        with self._lock:
            if not self._stage:
                return
            self._look()
            if silent_seconds() < (LOOK_SECONDS if is_live() else REPORT_SECONDS):
                return
            status(self.line(monotonic()))
            event("progress", **self._facts())

    def line(self, now: float) -> str:
        """Return the status in words."""
        done, jobs = self._pace.counts(self._stage)
        spent = now - self._started
        if not jobs:
            return f"{self._place()}: {duration(spent)}"
        said = f"{self._place()}: {done} of {jobs} jobs"
        seconds, unknown = self._pace.left(now)
        if not done:
            said += f", {duration(spent)} so far"
            if not seconds:
                return said
        else:
            said += f", {60 * done / max(spent, 1e-9):.1f} a minute"
        # A stage that has begun has a kind of job that is not counted: it takes longer than said.
        about = "at least" if self._stage in unknown else "about"
        said += f", {about} {duration(seconds)} left" if seconds >= 1 else ""
        later = [stage for stage in unknown if stage != self._stage]
        return said + (f", {' and '.join(later)} not counted" if later else "")

    def end(self) -> None:
        """Report what was finished last, and remove the status from the terminal."""
        with self._lock:
            self._look()
            clear_status()

    def _look(self) -> None:
        finished = self._pace.look(self._stage, monotonic())
        if self._stopwatch is not None:
            self._stopwatch.add(finished)
        for job in finished:
            done, jobs = self._pace.counts(self._stage)
            event("job", stage=job.stage, kind=job.kind, name=job.name, done=done, jobs=jobs)

    def _place(self) -> str:
        if len(self._names) == 1:
            return self._stage
        return f"stage {self._number()} of {len(self._names)}, {self._stage}"

    def _number(self) -> int:
        return self._names.index(self._stage) + 1

    def _facts(self) -> dict[str, object]:
        now = monotonic()
        done, jobs = self._pace.counts(self._stage)
        seconds, unknown = self._pace.left(now)
        return {
            "stage": self._stage,
            "number": self._number(),
            "stages": len(self._names),
            "done": done,
            "jobs": jobs,
            "seconds": round(now - self._started, 1),
            "seconds_left": round(seconds, 1),
            "not_counted": unknown,
        }


@contextmanager
def progress(names: Sequence[str]) -> Iterator[Progress]:
    """Show the progress of stages while the block runs."""
    shown, ended = Progress(names), Event()

    def repeat() -> None:
        while not ended.wait(LOOK_SECONDS):
            shown.show()

    teller = Thread(target=repeat, daemon=True)
    if mode() != QUIET:
        teller.start()
    try:
        yield shown
    finally:
        ended.set()
        if teller.is_alive():
            teller.join()
        shown.end()
