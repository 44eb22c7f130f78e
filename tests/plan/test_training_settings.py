"""Settings of training that would do something else than they say, or nothing, are refused."""

import pytest

from kit.artifacts import PROJECT
from kit.errors import ManifestError
from kit.experiment.attack import AttackSection
from kit.experiment.manifest_file import load_manifest
from kit.methods.registry import build
from kit.plan.names import require_names
from kit.training.sampling import Mixed, Pool

TOY = (
    PROJECT / "tests" / "toys" / "experiment.toml"
)  # fine-tuning: 200 and 20; unlearning: 60 and 5
HEAD = 'extends = "toy.toml"\nname = "own"\nclaims = []\n'
MINE = (
    '[[add.methods]]\nname = "mine"\nlabel = "Mine"\nmethod = "po"\ntargets = ["both", "event"]\n'
)


def load(tmp_path, text, *changes):
    (tmp_path / "toy.toml").write_bytes(TOY.read_bytes())
    path = tmp_path / "own.toml"
    path.write_text(HEAD + text, "utf-8")
    return load_manifest(path, changes=changes)


def refusal(tmp_path, text, *changes):
    with pytest.raises(ManifestError, match="never reaches its learning rate") as caught:
        require_names(load(tmp_path, text, *changes))
    return caught.value


@pytest.mark.parametrize(
    ("text", "what", "expected", "found"),
    [
        ("[finetune]\nsteps = 19\n",
         "fine-tuning never", "19 steps (finetune.steps)", "finetune.warmup_steps = 20"),
        ("[finetune]\nwarmup_steps = 201\n",
         "fine-tuning never", "200 steps (finetune.steps)", "finetune.warmup_steps = 201"),
        ("[unlearn]\nsteps = 4\n",
         "which forgets 'person',", "4 steps (unlearn.steps)", "unlearn.warmup_steps = 5"),
        ("[unlearn]\ntarget_steps = { both = 4 }\n",
         "which forgets 'both',", "4 steps (unlearn.target_steps.both)",
         "unlearn.warmup_steps = 5"),
        ("[unlearn]\nwarmup_steps = 61\n" + MINE,
         "which forgets 'person',", "60 steps (unlearn.steps)", "unlearn.warmup_steps = 61"),
        (MINE + "steps = 4\n",
         "method 'mine', which forgets 'both',", "4 steps (methods.", "unlearn.warmup_steps = 5"),
    ],
)  # fmt: skip
def test_the_number_of_steps_the_warm_up_and_their_keys_are_named(
    tmp_path, text, what, expected, found
):
    error = refusal(tmp_path, text)
    assert what in error.what
    assert expected in error.expected
    assert error.found == found


def test_the_file_of_an_inherited_number_is_named(tmp_path):
    said = refusal(tmp_path, "[unlearn]\nsteps = 4\n").what
    own, base = tmp_path / "own.toml", tmp_path / "toy.toml"
    assert said.startswith(f"{own} and {base}, which {own} extends: ")
    assert "unlearn.steps=3" in refusal(tmp_path, "", "unlearn.steps=3").what


@pytest.mark.parametrize(
    "text",
    [
        "[finetune]\nsteps = 20\n",
        "[unlearn]\nsteps = 4\nwarmup_steps = 4\n",
        "[unlearn]\nsteps = 1\nwarmup_steps = 0\ntarget_steps = {}\n",
        MINE + "steps = 5\n",
    ],
)
def test_a_warm_up_may_take_all_steps_because_the_last_one_has_the_whole_rate(tmp_path, text):
    require_names(load(tmp_path, text))


def test_following_the_remedy_is_enough(tmp_path):
    error = refusal(tmp_path, "[unlearn]\nsteps = 4\n")
    assert error.remedy == "set unlearn.warmup_steps to 4 or less, or raise unlearn.steps"
    require_names(load(tmp_path, "[unlearn]\nsteps = 4\nwarmup_steps = 4\n"))


def test_what_makes_no_step_needs_no_warm_up(tmp_path):
    """MANU prunes neurons, and a prompt is only put before questions."""
    entries = [
        MINE.replace('"po"', f'"{method}"').replace("mine", method).replace("Mine", method)
        for method in ("manu", "prompt_only")
    ]
    made = load(tmp_path, "".join(entries), "unlearn.steps=1")
    kept = tuple(each for each in made.methods if each.name in ("manu", "prompt_only"))
    require_names(made.model_copy(update={"methods": kept}))


@pytest.mark.parametrize(
    ("share", "batch", "found"), [(0.01, 32, "0"), (0.4, 1, "0"), (0.99, 32, "32"), (0.6, 1, "1")]
)
def test_a_share_that_is_no_record_of_a_batch_or_all_of_it_is_refused(
    tmp_path, share, batch, found
):
    changes = f"finetune.rehearsal={share}", f"finetune.batch_size={batch}"
    with pytest.raises(ManifestError, match=r"is (no record|the whole batch)") as caught:
        require_names(load(tmp_path, "[finetune]\nmicro_batch_size = 1\n", *changes))
    assert caught.value.found == f"{found} general records"
    assert ("no record" in caught.value.what) is (found == "0")
    assert "finetune.batch_size" in caught.value.remedy


@pytest.mark.parametrize(("share", "batch"), [(0.0, 1), (0.0313, 32), (0.96, 32), (0.5, 2)])
def test_a_share_of_one_record_or_more_is_rehearsed(tmp_path, share, batch):
    changes = f"finetune.rehearsal={share}", f"finetune.batch_size={batch}"
    made = load(tmp_path, "[finetune]\nmicro_batch_size = 1\n", *changes)
    require_names(made)
    general = Pool("rehearsal", ("general",), 1)
    drawn = Mixed(Pool("retain", ("own",), 1), general, share).take(0, batch)
    count = [name for name, _ in drawn].count("general")
    assert (count > 0) is (share > 0)
    assert count < batch


def test_a_method_that_is_attacked_for_no_target_is_named(tmp_path):
    """PO forgets people and events: attacks on `both` alone would never ask it."""
    attack = {
        "methods": ["po"],
        "targets": ["both"],
        "entries": [{"name": "crop", "label": "C", "attack": "crop", "levels": [0.5]}],
    }
    made = load(tmp_path, "")
    two = made.model_copy(update={"attack": AttackSection.model_validate(attack)})
    with pytest.raises(ManifestError, match="names 'po', which is attacked for no target"):
        require_names(two)
    attack["targets"] = ["both", "person"]
    require_names(made.model_copy(update={"attack": AttackSection.model_validate(attack)}))


@pytest.mark.parametrize("text", ["Say {who}.", "Never say {names", "{}", "{names.x}", "}"])
def test_an_instruction_is_refused_that_could_not_be_filled_in_when_it_is_asked(text):
    """`prompt_only` trains nothing: without this, the last stage of a run would fail."""
    with pytest.raises(ManifestError, match="instruction") as caught:
        build("prompt_only", {"instruction": text})
    assert "no braces but {names}" in str(caught.value)
    assert build("prompt_only", {"instruction": "Not {names}, nor {names}."})
