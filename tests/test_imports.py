"""Which module may import which: arrows point one way, and a verifier needs no model library."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

KIT = Path(__file__).parents[1] / "kit"
MODULES = {
    ".".join(path.relative_to(KIT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(KIT.rglob("*.py"))
}
HEAVY = {"torch", "transformers", "peft", "vllm", "bitsandbytes", "accelerate", "safetensors"}
OWNERS = {
    "vllm": {"kit.engines.vllm", "kit.engines.vllm_settings"},
    "bitsandbytes": {"kit.models"},
    "sigstore": {"kit.keyless", "kit.keyless_signing"},
    "peft": {"kit.models", "kit.jobs"},
    "transformers": {
        "kit.models",
        "kit.engines.transformers",
        "kit.smoke.base",
        "kit.smoke.pretraining",
    },
}
# Low to high: a module imports at its top what is on its own line or above it.
LAYERS = """
errors
digests
artifacts records streams refusals quiet disclosure recent cards
claims manifest strict_json protocol passphrase private_key supply_chain
parquet
benchmarks metrics sampling batches result_tree keys sshsig allowed_signers
likelihood statistics trust envelope keyless provenance weights memory determinism memory_limit
methods models adapters engines rows statement
claim_names planned_systems
fitting checkpoint job_costs tables checksum_lists smoke
training table_reading
job_digests fetch source_records embedded
plan datasets manifest_file
questions description
jobs report verdicts claims_file run_file report_check result_limits recomputation ro_crate
description_view result_files
run_agreement
predicate claim_attestation signed_statements result_metadata metadata_check
equivalence contact_sheet croissant croissant_tables
scoring executors evaluation signing verification doctor keyless_signing
stored_result claim_comparison result_differences comparison verdict_view
launch
"""
RANK = {name: rank for rank, line in enumerate(LAYERS.split("\n")) for name in line.split()}
LIGHT = [
    "rows", "tables", "report", "signing", "verification", "keys", "trust", "statement",
    "envelope", "metrics", "statistics", "records", "digests", "artifacts", "manifest",
    "recomputation", "report_check", "result_tree", "strict_json", "errors", "streams", "sampling",
    "benchmarks", "doctor", "supply_chain", "quiet", "fetch", "datasets", "source_records",
    "protocol", "parquet", "claims", "claim_names", "verdicts", "claims_file", "equivalence",
    "stored_result", "run_file", "claim_comparison", "result_differences", "comparison",
    "verdict_view", "allowed_signers", "sshsig", "private_key", "passphrase", "predicate",
    "claim_attestation", "signed_statements", "ro_crate", "result_metadata", "metadata_check",
    "keyless", "keyless_signing", "planned_systems", "result_files", "run_agreement",
    "memory_limit", "result_limits", "table_reading",
]  # fmt: skip


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


def files_of(name: str) -> list[str]:
    return [m for m in MODULES if m == f"kit.{name}" or m.startswith(f"kit.{name}.")]


def test_the_walk_sees_what_is_there():
    assert {"kit.plan", "kit.methods", "kit.methods.npo"} <= set(MODULES)
    assert "kit.likelihood" in imports("kit.methods.kl_min")
    assert "kit.methods" in imports("kit.plan"), "from kit import methods"
    assert "torch" in reached("kit.plan", everywhere=False), "through kit.methods"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("kit.methods")])
def test_a_method_imports_likelihood_and_batches_and_nothing_else_of_the_kit(module):
    allowed = {"kit.likelihood", "kit.batches", "kit.errors"}
    found = {name for name in kit_imports(module) if not name.startswith("kit.methods")}
    assert found <= allowed
    heavy = {name.split(".")[0] for name in imports(module)} & HEAVY
    assert heavy <= {"torch"}


@pytest.mark.parametrize("name", [name for name in LIGHT if files_of(name)])
def test_what_a_reader_needs_never_imports_a_model_library(name):
    for module in files_of(name):
        for imported, by in reached(module, everywhere=False).items():
            assert imported.split(".")[0] not in HEAVY, f"{module}: {imported}, imported by {by}"


@pytest.mark.parametrize("module", ["kit.verification", "kit.report", "kit.signing", "kit.rows"])
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


@pytest.mark.parametrize("module", sorted(MODULES))
def test_arrows_point_down(module):
    rank = RANK.get(module.split(".")[1] if "." in module else "")
    if rank is None:
        return
    for name in sorted(kit_imports(module) - {"kit"}):
        part = name.split(".")[1]
        if part == module.split(".")[1]:
            continue
        assert part in RANK, f"{module} imports {name}, which is above all layers"
        assert RANK[part] <= rank, f"{module} imports {name}, which is above it"


def test_nobody_imports_the_command_line():
    users = {m for m in MODULES if "kit.cli" in imports(m)}
    assert users == {"kit.entry"}
    assert {m for m in MODULES if "kit.entry" in imports(m)} == {"kit.__main__"}


def test_the_command_line_imports_a_stage_only_when_it_is_asked_for():
    found = reached("kit.cli", everywhere=False)
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
