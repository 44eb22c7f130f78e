"""Where the time of the small experiment goes: by stage, and by cause.

    ./run.sh all && ./run.sh bench profile [MANIFEST]

The seconds of stages are those of the finished result. Causes are measured here, in processes of
one thread: the start of a process of each kind, a step of fine-tuning and of unlearning, and what
is done around them. A step is split by torch's profiler. An operation of the backward pass counts
where its operation of the forward pass does.
"""

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch.nn.utils import get_total_norm
from torch.profiler import ProfilerActivity, profile, record_function

from kit.artifacts import PROJECT, results_root
from kit.console import quieten
from kit.experiment.manifest_file import load_manifest
from kit.plan.jobs import Job, Plan, make_plan
from kit.result.layout import RUN
from kit.training.checkpoint import Checkpoint
from kit.training.gradients import Gradients
from kit.training.masters import MasterWeights
from kit.training.worker import Worker

STEPS = 8  # of each kind that are profiled, after as many that warm up
MARK = "cause: "
OUTSIDE = "batches, the loss's own Python, and the rest"
STARTS = {
    "a training process: imports": "import kit.training.worker",
    "an engine's process: imports": "import vllm, kit.evaluation.worker",
    "verification: imports": "import kit.verification.verify",
}


def main() -> int:
    """Print the tables."""
    quieten()
    torch.set_num_threads(1)
    manifest = Path(sys.argv[1]) if sys.argv[1:] else PROJECT / "manifests" / "smoke.toml"
    plan = make_plan(load_manifest(manifest))
    run = results_root() / plan.manifest.run_name / RUN
    if not run.is_file():
        sys.exit(f"error: {run} is not there\n  remedy: `./run.sh all {manifest}`")
    print("| stage | jobs | seconds |\n|---|---|---|")
    for stage in json.loads(run.read_text(encoding="utf-8"))["stages"]:
        print(f"| {stage['stage']} | {stage['jobs']} | {stage['seconds']:.0f} |")
    print("\n| cause | processor seconds |\n|---|---|")
    for name, seconds in _starts():
        print(f"| {name} | {seconds:.1f} |")
    for name in ("vanilla", "person-npo"):
        _print_step(plan, next(job for job in plan.jobs() if job.name.startswith(name)))
    return 0


def _starts() -> Iterator[tuple[str, float]]:
    """Yield what a new process of each kind costs before it works."""
    for name, code in STARTS.items():
        measured = f"import time; {code}; print('\\n', time.process_time())"
        command = [sys.executable, "-P", "-c", measured]
        said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        yield name, float(said.stdout.split()[-1])


def _print_step(plan: Plan, job: Job) -> None:
    started = time.process_time()
    worker = Worker(plan.manifest)
    model, source = worker._with_adapters(job), None
    source = worker.source(job, model)
    print(f"| {job.name}: base, processor, records and adapters loaded | {_since(started):.1f} |")
    with TemporaryDirectory() as folder:
        step, checkpoint = _stepper(job, model, source, Path(folder))
        for number in range(STEPS):
            step(number)
        causes, seconds = _causes(model, lambda: [step(number) for number in range(STEPS)])
        started = time.process_time()
        checkpoint()
        saved = _since(started)
    print(f"| {job.name}: a checkpoint | {saved:.3f} |")
    print(f"| {job.name}: a step of {job.settings.batch_size} records | {seconds / STEPS:.3f} |")
    for cause, share in sorted(causes.items(), key=lambda item: -item[1]):
        print(f"| - {cause} | {seconds * share / STEPS:.3f} ({share:.0%}) |")
    source.close()


def _since(started: float) -> float:
    return time.process_time() - started


def _stepper(
    job: Job, model: Any, source: Any, folder: Path
) -> tuple[Callable[[int], None], Callable[[], None]]:
    """Return a step as the loop makes it, and a checkpoint."""
    model.train()
    weights = MasterWeights(model)
    parameters = list(weights.named.values())
    optimizer = torch.optim.AdamW(parameters, lr=job.settings.learning_rate)
    gradients = Gradients(job.method, weights)

    def step(number: int) -> None:
        parts = list(source.steps(number, job.settings.batch_size))
        found = gradients.compute(parts)
        gradients.combine(found)
        with record_function(f"{MARK}optimiser and clipping"):
            get_total_norm([p.grad for p in parameters if p.grad is not None])
            gradients.apply(optimizer)

    return step, lambda: Checkpoint(folder, weights.named, optimizer).save(1, {}, gradients.state)


def _causes(model: Any, work: Callable[[], object]) -> tuple[dict[str, float], float]:
    """Return the share of each cause, and the processor seconds of the whole."""
    with ExitStack() as stack:
        for cause, module in _modules(model):
            for hook in _ranges(module, f"{MARK}{cause}"):
                stack.callback(hook.remove)
        started = time.process_time()
        with profile(activities=[ProfilerActivity.CPU]) as recorded:
            work()
        seconds = _since(started)
    spent: dict[str, float] = defaultdict(float)
    of_step: dict[int, str] = {}  # number of an operation with a gradient -> its cause
    for event in sorted(recorded.events(), key=lambda e: e.time_range.start):
        cause, number = _cause(event, of_step), event.sequence_nr
        if number >= 0 and not event.name.startswith("autograd::"):
            of_step.setdefault(number, cause)
        spent[cause] += event.self_cpu_time_total
    total = sum(spent.values())
    return {cause: value / total for cause, value in spent.items()}, seconds


def _cause(event: Any, of_step: dict[int, str]) -> str:
    while event is not None:
        if event.name.startswith(MARK):
            return str(event.name.removeprefix(MARK))
        if event.name.startswith("autograd::"):
            return of_step.get(event.sequence_nr, OUTSIDE)
        event = event.cpu_parent
    return OUTSIDE


def _modules(model: Any) -> Iterator[tuple[str, torch.nn.Module]]:
    """Yield the modules that stand for a cause; those inside others count for themselves."""
    base = model.get_base_model()
    yield "attention, norms, activations", base.get_decoder()
    yield "output head", base.get_output_embeddings()
    for name, module in base.named_modules():
        if name.endswith(("vision_tower", "multi_modal_projector")):
            yield "vision tower and projector", module
        if isinstance(module, BaseTunerLayer):
            yield "LoRA", module
            yield "the base's linear layers", module.get_base_layer()


def _ranges(module: torch.nn.Module, name: str) -> list[Any]:
    """Put a range of the profiler around a module's forward pass."""
    opened: list[Any] = []

    def begin(*_: object) -> None:
        opened.append(record_function(name))
        opened[-1].__enter__()

    def end(*_: object) -> None:
        opened.pop().__exit__(None, None, None)

    return [module.register_forward_pre_hook(begin), module.register_forward_hook(end)]


if __name__ == "__main__":
    raise SystemExit(main())
