"""What engines serve: the base model in the form they need, and the adapters of each system."""

import shutil
from collections.abc import Iterable

import torch

from kit.artifacts import cache_root
from kit.evaluation.engines import Adapters, Engine, engine_class
from kit.model.base import export_base
from kit.plan.jobs import Plan
from kit.plan.systems import System
from kit.sources.datasets import base_folder


def make_serving_base(plan: Plan) -> None:
    """Write the dequantised base, once for all evaluations."""
    if not plan.serving.done:
        shutil.rmtree(plan.serving.partial, ignore_errors=True)
        # A base of several cards is quantised in main memory, as for training.
        place = torch.device("cpu") if plan.manifest.compute.shards > 1 else None
        folder, section = base_folder(plan.manifest), plan.manifest.model
        export_base(folder, section, plan.serving.partial, place)
        plan.serving.publish({"stage": "evaluate"})


def open_engine(plan: Plan, systems: Iterable[System], name: str) -> Engine:
    """Open the engine `name`, which will be asked for `systems`; call it once per process."""
    scratch = cache_root() / "scratch" / f"{plan.manifest.run_name}-{min(s.name for s in systems)}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    engine = engine_class(name)
    base = plan.serving.path if engine.dequantised else base_folder(plan.manifest)
    return engine(plan.manifest, base, _adapters(plan), scratch)


def _adapters(plan: Plan) -> Adapters:
    """Return the adapter folders of every system of the plan, and of the bare base, ""."""
    folders = {s.name: tuple(artifact.path for artifact in s.adapters) for s in plan.systems}
    return {"": (), **folders}
