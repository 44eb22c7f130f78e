"""Which room may import which: arrows point one way, and a verifier needs no model library."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

KIT = Path(__file__).parents[2] / "kit"
MODULES = {
    ".".join(path.relative_to(KIT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(KIT.rglob("*.py"))
}
HEAVY = {"torch", "transformers", "peft", "vllm", "bitsandbytes", "accelerate", "safetensors"}
OWNERS = {
    "vllm": {"kit.evaluation.engines.vllm", "kit.evaluation.engines.vllm_settings"},
    "bitsandbytes": {
        "kit.model.base",
        "kit.model.dense",
        "kit.model.rounding",
        "kit.model.sharding",
        "kit.preflight.structure",
    },
    "ray": {"kit.cluster.ray_cluster", "kit.cluster.remote"},
    "obstore": {"kit.cluster.objects"},
    "sigstore": {"kit.signing.keyless", "kit.signing.keyless_sign"},
    "peft": {
        "kit.model.base",
        "kit.model.dense",
        "kit.model.full_update",
        "kit.model.lora",
        "kit.model.neurons",
        "kit.model.side_by_side",
        "kit.training.neurons",
        "kit.training.preparation.base",
        "kit.training.steps",
        "kit.training.worker",
    },
    "transformers": {
        "kit.model.base",
        "kit.model.decoding",
        "kit.model.lora",
        "kit.evaluation.engines.transformers",
        "kit.evaluation.peers",
        "kit.evaluation.scoring",
        "kit.preflight.loading",
        "kit.preflight.structure",
        "kit.smoke.base",
        "kit.smoke.pretraining",
        "kit.training.worker",
    },
}
GROUND = "ground"  # kit/*.py: what every room may use
# Low to high: a room imports what is on a line above its own. kit/__main__.py is the door.
FLOORS = """
ground
experiment pictures
benchmarks fetch supply_chain
result smoke
metrics model signing sources scaffolds
attacks methods verdicts report describe
plan
training evaluation verification
preflight
comparison stages doctor exchange
launch calibration tuning cluster
cli
"""
FLOOR = {room: floor for floor, line in enumerate(FLOORS.split("\n")) for room in line.split()}
# A laptop verifies, compares and looks at data with these alone.
LIGHT = {
    "ground", "experiment", "pictures", "benchmarks", "fetch", "supply_chain", "result", "metrics",
    "signing", "sources", "verdicts", "report", "describe", "verification", "doctor", "comparison",
    "exchange", "scaffolds",
}  # fmt: skip


def room_of(module: str) -> str:
    """Return the room of a module: the folder below kit/, or the ground floor."""
    parts = MODULES[module].relative_to(KIT).parts
    return parts[0] if len(parts) > 1 else GROUND


@cache
def imports(module: str, *, everywhere: bool = True) -> frozenset[str]:
    """Return what a module imports: at its top, or also inside its functions."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else tree.body
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: 1 - node.level or None], base]).rstrip(".")
            submodules = {f"{base}.{alias.name}" for alias in node.names}
            found |= {base, *(submodules & set(MODULES))}
    return frozenset(found)


def reached(module: str, *, everywhere: bool) -> dict[str, str]:
    """Return every import that `module` leads to within the kit, with the module that does it."""
    found, waiting = {}, [module]
    while waiting:
        current = waiting.pop()
        names = set(imports(current, everywhere=everywhere))
        names |= {name.rpartition(".")[0] for name in names if name in MODULES}  # packages too
        for name in names - set(found) - {""}:
            found[name] = current
            if name in MODULES:
                waiting.append(name)
    return found


def kit_imports(module: str) -> set[str]:
    return {name for name in imports(module) if name.split(".")[0] == "kit"}


def test_the_walk_sees_what_is_there():
    assert {"kit.plan.jobs", "kit.methods", "kit.methods.npo"} <= set(MODULES)
    assert "kit.model.likelihood" in imports("kit.methods.kl_min")
    assert "kit.methods" in imports("kit.plan.names"), "from kit import methods"
    assert "torch" in reached("kit.plan.jobs", everywhere=False), "through kit.methods"


METHODS = [m for m, path in MODULES.items() if "\nMETHOD = " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("module", METHODS)
def test_a_method_imports_what_a_step_computes_and_nothing_else_of_the_kit(module):
    model = {"kit.model.likelihood", "kit.model.batches", "kit.model.hidden"}
    allowed = {"kit.model", "kit.errors", *model}
    found = {name for name in kit_imports(module) if not name.startswith("kit.methods")}
    assert found <= allowed
    heavy = {name.split(".")[0] for name in imports(module)} & HEAVY
    assert heavy <= {"torch"}


@pytest.mark.parametrize("module", [m for m in MODULES if room_of(m) in LIGHT])
def test_what_a_reader_needs_never_imports_a_model_library(module):
    for imported, by in reached(module, everywhere=False).items():
        assert imported.split(".")[0] not in HEAVY, f"{module}: {imported}, imported by {by}"


@pytest.mark.parametrize(
    "module", ["kit.verification.verify", "kit.report", "kit.signing.sign", "kit.metrics.rows"]
)
def test_verification_runs_without_the_model_libraries(module):
    """The walk reads the sources; this asks Python, with functions and third parties included."""
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in sorted(HEAVY))
    code = f"import sys; {blocked}import {module}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=KIT.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("library", sorted(OWNERS))
def test_a_library_is_imported_by_the_modules_that_own_it_alone(library):
    users = {m for m in MODULES if library in {name.split(".")[0] for name in imports(m)}}
    assert users <= OWNERS[library]


def test_every_module_is_in_a_room():
    assert {room_of(module) for module in MODULES} == set(FLOOR)
    ground = [m for m in MODULES if room_of(m) == GROUND]
    assert len(ground) <= 16, "the ground floor is for what every room may use"


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"kit.__main__"}))
def test_arrows_point_down(module):
    room = room_of(module)
    for name in sorted(kit_imports(module) & set(MODULES) - {"kit"}):
        other = room_of(name)
        assert other == room or FLOOR[other] < FLOOR[room], f"{module} imports {name}: {other}"


def test_only_the_door_imports_the_command_line():
    users = {m for m in MODULES if "kit.cli.verbs" in imports(m)}
    assert users == {"kit.cli.entry"}
    assert {m for m in MODULES if "kit.cli.entry" in imports(m)} == {"kit.__main__"}


def test_the_command_line_imports_a_stage_only_when_it_is_asked_for():
    found = reached("kit.cli.verbs", everywhere=False)
    assert {name.split(".")[0] for name in found} & (HEAVY | {"pandas"}) == set()


def test_no_two_modules_import_each_other_at_their_top():
    for module in MODULES:
        for name in imports(module, everywhere=False):
            if name in MODULES and name != module:
                again = imports(name, everywhere=False)
                package = name.startswith(f"{module}.") or module.startswith(f"{name}.")
                assert package or module not in again, f"{module} and {name}"


def test_no_module_has_a_name_that_says_nothing():
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "managers", "manager"}
    assert not vague & {part for module in MODULES for part in module.split(".")}
