"""The adapters of a result: which must be there, and what their files may hold."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from kit.errors import VerificationError
from kit.experiment.manifest_file import load_manifest
from kit.plan.jobs import make_plan
from kit.plan.kept_jobs import kept_jobs
from kit.verification.verify import verify
from tests.toys.adapter import NAMES, losses, safetensors, settings, weights_of
from tests.toys.signed_result import TRUSTED, forge, rejects
from tests.verification.test_contradictions import edit_run, remake_and_sign

FOLDER = "adapters/person-npo-s1"


def write(name: str, data: bytes | str):
    def mutate(result: Path) -> None:
        text = data.encode() if isinstance(data, str) else data
        (result / FOLDER / name).write_bytes(text)

    return mutate


def weights(data: bytes):
    return write("adapter_model.safetensors", data)


def config(**changes: object):
    return write("adapter_config.json", json.dumps(settings(alpha=2.0, **changes)))


def changed(value: float, *, name: str = NAMES[0]) -> bytes:
    made = weights_of(9)
    made[name][0, 0] = value
    return safetensors(made)


def of_another(result: Path) -> None:
    name = "adapter_model.safetensors"
    shutil.copy(result / "adapters" / "vanilla" / name, result / FOLDER / name)


def of_another_with_a_note(result: Path) -> None:
    data = safetensors(weights_of(0), __metadata__={"format": "pt"})
    (result / FOLDER / "adapter_model.safetensors").write_bytes(data)


GOOD = safetensors(weights_of(9))
ONE = {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]}
ATTACKS = {
    "another's weights": (of_another, "have equal weights"),
    "another's weights, other header": (of_another_with_a_note, "have equal weights"),
    "losses with a sentence": (
        write("losses.jsonl", losses(30).replace('"loss"', '"Best paper": 1, "loss"')),
        "line 1 has 'Best paper', no name of a part of a loss"),
    "a pickle": (weights(pickle.dumps({"a": list(range(99))})), "it is a pickle"),
    "a zip of torch": (weights(b"PK\x03\x04" + bytes(99)), "it is a pickle"),
    "zeros": (weights(bytes(64)), "no safetensors"),
    "nothing": (weights(b""), "no safetensors"),
    "a header that lies": (weights((2**63).to_bytes(8, "little") + b"{}"), "no length of a header"),
    "a header that is no JSON": (weights((4).to_bytes(8, "little") + b"abcd"), "is not JSON"),
    "trailing bytes": (weights(GOOD + b"MZ payload"), "its tensors end at"),
    "a hole": (weights(safetensors(weights_of(9), **{NAMES[0]: {**ONE, "data_offsets": [4, 36]}})),
               "are not where its shape puts them"),
    "overlapping tensors": (weights(safetensors(weights_of(9), **{NAMES[1]: {**ONE, "shape": [3, 2],
                            "data_offsets": [0, 24]}})), "are not where"),
    "half precision": (weights(safetensors(weights_of(9), **{NAMES[0]: {**ONE, "dtype": "F16"}})),
                       "is of dtype 'F16'"),
    "notes of its own": (weights(safetensors(weights_of(9), __metadata__={"note": "evil"})),
                         "notes of its own"),
    "another rank": (weights(safetensors(weights_of(9, rank=3))), "but the rank is 2"),
    "a tensor too few": (weights(safetensors(dict(list(weights_of(9).items())[1:]))),
                         "no counterpart"),
    "a module too few": (weights(safetensors(dict(list(weights_of(9).items())[2:]))),
                         "other modules"),
    "another tensor": (weights(safetensors({"lm_head.weight": np.ones((2, 2), "<f4")})),
                       "no matrix of LoRA"),
    "a module outside the expression": (
        weights(safetensors({n.replace("k_proj", "q_proj"): w for n, w in weights_of(9).items()})),
        "is no module of model.lora_modules|other modules"),
    "NaN": (weights(changed(float("nan"))), "not finite"),
    "infinity": (weights(changed(float("inf"), name=NAMES[-1])), "not finite"),
    "no effect": (weights(safetensors({n: w * (".lora_A" in n) for n, w in weights_of(9).items()})),
                  "does nothing"),
    "another base": (config(base_model_name_or_path="evil/evil"), "base_model_name_or_path"),
    "another rank in the settings": (config(rank=99), "r is '99', not 2"),
    "another alpha": (config(lora_alpha=64.0), "lora_alpha is '64.0', not 2.0"),
    "other modules in the settings": (config(target_modules=".*"), "target_modules is"),
    "DoRA": (config(use_dora=True), "use_dora is 'True'"),
    "a rank for each module": (config(rank_pattern={"k_proj": 1}), "rank_pattern"),
    "whole modules": (config(modules_to_save=["lm_head"]), "modules_to_save"),
    "code to import": (config(auto_mapping={"parent_library": "evil"}), "auto_mapping"),
    "settings that are no JSON": (write("adapter_config.json", b"\xff"), "it is not JSON"),
    "settings that are a list": (write("adapter_config.json", "[]"), "not a JSON object"),
    "losses of one step": (write("losses.jsonl", losses(1)), "1 lines, but 30 steps"),
    "no losses": (write("losses.jsonl", ""), "0 lines, but 30 steps|no end"),
    "losses that are terminal codes": (write("losses.jsonl", "\x1b[2J\n" * 30),
                                       "line 1 is not JSON"),
    "losses that are text": (write("losses.jsonl", losses(29) + '{"step": 30, "loss": "low"}\n'),
                             "line 30 is not an object of finite numbers"),
    "losses that are true": (write("losses.jsonl", losses(29) + '{"step": 30, "loss": true}\n'),
                             "line 30 is not an object"),
    "a loss that is not finite": (write("losses.jsonl", losses(29) + '{"step": 30, "loss": NaN}\n'),
                                  "line 30 is not JSON"),
    "a step twice": (write("losses.jsonl", losses(29) + losses(29).splitlines()[-1] + "\n"),
                     "line 30 is not the loss of step 30"),
    "a cut line": (write("losses.jsonl", losses(30).rstrip("\n")), "no end"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_adapter_that_is_not_what_the_manifest_asks_for_is_refused(damaged, name):
    mutate, reason = ATTACKS[name]
    mutate(damaged)
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, reason)


@pytest.mark.parametrize(
    "name", ["adapter_model.safetensors", "adapter_config.json", "losses.jsonl"]
)
def test_a_file_of_an_adapter_that_is_missing_is_named(damaged, name):
    (damaged / FOLDER / name).unlink()
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, rf"{FOLDER}/{name}: it is missing")


def test_an_adapter_has_the_rank_that_its_method_states_of_its_own(damaged):
    edit_run(damaged, lambda run: run["manifest"]["methods"][0].update(rank=3, alpha=6.0))
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "but the rank is 3")
    weights(safetensors(weights_of(9, rank=3)))(damaged)
    write("adapter_config.json", json.dumps(settings(rank=3, alpha=6.0)))(damaged)
    remake_and_sign(damaged)
    assert verify(damaged, trusted=TRUSTED).files > 0


@pytest.mark.parametrize("names", [["person-npo-s1"], ["vanilla", "retain_only-person"]])
def test_an_adapter_that_the_manifest_keeps_is_missed(damaged, names):
    for name in names:
        shutil.rmtree(damaged / "adapters" / name)
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, f"{sorted(names)[0]} is missing")


def test_all_adapters_taken_away_are_missed(damaged):
    shutil.rmtree(damaged / "adapters")
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "person-npo-s1 is missing(.|\n)*vanilla is missing")


def test_an_adapter_that_the_manifest_does_not_keep_is_too_much(damaged):
    def claimed(run):
        run["manifest"]["report"]["adapters"] = "claimed"
        run["manifest"]["claims"] = run["manifest"]["claims"][:1]

    edit_run(damaged, claimed)
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "person-npo-s1 is too much")
    shutil.rmtree(damaged / FOLDER)
    remake_and_sign(damaged)
    assert verify(damaged, trusted=TRUSTED).files > 0


def test_a_result_may_keep_no_adapter_where_its_manifest_says_so(damaged):
    edit_run(damaged, lambda run: run["manifest"]["report"].update(adapters="none"))
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "person-npo-s1 is too much")
    shutil.rmtree(damaged / "adapters")
    remake_and_sign(damaged)
    assert "keeps no adapter" in "\n".join(verify(damaged, trusted=TRUSTED).messages)


def test_a_pickle_is_never_loaded(damaged, tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    weights(pickle.dumps(Evil()))(damaged)
    forge(damaged)
    rejects(damaged, VerificationError, "it is a pickle")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("expression", ["(a+)+$", "(?=x)x", "("])
def test_an_expression_of_a_stranger_takes_no_time(damaged, expression):
    edit_run(damaged, lambda run: run["manifest"]["model"].update(lora_modules=expression))
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, "target_modules is")


@pytest.mark.parametrize(
    "name", ["smoke", "smoke-reference", "clear-smoke", "mllmu-smoke", "umu-smoke", "offside-smoke"]
)
def test_the_verifier_and_the_plan_keep_the_same_adapters(name):
    from kit.benchmarks import protocol
    from kit.experiment.kept_adapters import Trained, kept_adapters
    from kit.verification.planned import planned_by

    manifest = load_manifest(Path(f"manifests/{name}.toml"))
    planned = planned_by(manifest.resolved(), protocol(manifest.benchmark.loader))
    trained = [
        Trained(each.name, each.target, each.seed, planned.entries.get(each.name))
        for each in planned.adapters.values()
    ]
    for kept in ("all", "claimed", "none"):
        report = manifest.report.model_copy(update={"adapters": kept})
        plan = make_plan(manifest.model_copy(update={"report": report}))
        right = [job.name for job in kept_jobs(plan)]
        assert list(kept_adapters(trained, manifest.claims, manifest.seeds[0], kept)) == right


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"award": "Best paper"}, "award is 'Best paper', a setting that the kit does not write"),
        (
            {"loftq_config": {"bits": 4}},
            "loftq_config is .*, a setting that the kit does not write",
        ),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa', not True"),
        ({"task_type": "SEQ_CLS"}, "task_type is 'SEQ_CLS', not None"),
        ({"peft_version": "Best paper"}, "peft_version is 'Best paper', no version"),
    ],
)
def test_a_setting_that_changes_what_weights_mean_is_refused(damaged, changes, reason):
    write("adapter_config.json", json.dumps(settings(alpha=2.0, **changes)))(damaged)
    remake_and_sign(damaged)
    rejects(damaged, VerificationError, reason)


def test_what_a_later_peft_adds_and_leaves_off_is_accepted(damaged):
    later = settings(alpha=2.0, new_config=None, new_flag=False, new_map={})
    write("adapter_config.json", json.dumps(later | {"peft_version": "0.22.0.dev0"}))(damaged)
    remake_and_sign(damaged)
    assert verify(damaged, trusted=TRUSTED).files > 0
