"""`--set key=value`: typed by the schema, a part of the digest, and named in errors."""

import shutil

import pytest

from kit.artifacts import PROJECT
from kit.errors import ManifestError
from kit.experiment.manifest_file import load_manifest
from kit.plan.names import require_claims

SMOKE = PROJECT / "manifests" / "smoke.toml"


def with_changes(*changes, path=SMOKE):
    return load_manifest(path, changes=changes, calibrated=False)


def refusal(*changes, path=SMOKE):
    with pytest.raises(ManifestError) as caught:
        with_changes(*changes, path=path)
    return caught.value


def test_a_change_is_what_the_file_would_say(tmp_path):
    said = with_changes("unlearn.learning_rate=5e-4", "seeds=[2, 3]", "methods.npo.steps=7")
    text = SMOKE.read_text(encoding="utf-8")
    for old, new in (
        ("learning_rate = 1e-3", "learning_rate = 5e-4"),
        ("seeds = [1]", "seeds = [2, 3]"),
        ('method = "npo"', 'method = "npo"\nsteps = 7'),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / "written.toml").write_text(text, encoding="utf-8")
    written = load_manifest(tmp_path / "written.toml", calibrated=False)
    assert said.resolved() == written.resolved()
    assert said.run_name == written.run_name != with_changes().run_name


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("name=7", "7"),
        ('name="seven"', "seven"),
        ("title=A = b # c", "A = b # c"),
        ("title='a'", "a"),
        ("title=true", "true"),
        ("finetune.seed=3", 3),
        ("finetune.rehearsal=0", 0.0),
        ("compute.workers = 2", 2),
        ("report.images=false", False),
        ("methods.0.learning_rate=1e-3", 1e-3),
        ("methods.npo.options.beta=0.2", 0.2),
        ("sources.pebench.embedded=pebench", "pebench"),
        ("unlearn.target_steps.person=9", 9),
        ("claims.C1.margin=0.5", 0.5),
    ],
)
def test_a_value_has_the_type_of_its_key(change, value):
    found = with_changes(change)
    for part in change.partition("=")[0].strip().split("."):
        if isinstance(found, tuple):
            named = {getattr(e, "name", getattr(e, "id", None)): e for e in found}
            found = named[part] if part in named else found[int(part)]
        else:
            found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        ("unlearn.learning_rat=1", "no key 'learning_rat' in unlearn", "'learning_rate'"),
        ("finetun.steps=1", "no key 'finetun'", "'finetune'"),
        ("methods.nqo.steps=1", "no entry 'nqo' in methods", "'npo'"),
        ("methods.99.steps=1", "no entry '99' in methods", "number from 0"),
        ("unlearn.steps.more=1", "'unlearn.steps' is no table", "README"),
        ("methods.npo=1", "'methods.npo' is an entry", "README"),
        ("extends=smoke.toml", "no key 'extends'", "did you mean"),
        ("unlearn.steps", "not a key and a value", "equals sign"),
        ("=3", "not a key and a value", "equals sign"),
        ("title=a\nb", "not a key and a value", "equals sign"),
    ],
)
def test_a_change_that_cannot_be_made_is_named_with_the_nearest_key(change, what, remedy):
    error = refusal(change)
    assert what in error.what
    assert error.what.startswith("--set ")
    assert remedy in error.remedy


def test_one_key_is_changed_once():
    """The last of two values would win, and a reader of the call may take the first."""
    again = ("methods.npo.steps=7", f"methods.{npo_number()}.steps=8")
    error = refusal(*again)
    assert "is changed twice" in error.what
    assert error.found == f"--set {again[0]}"


def npo_number():
    return [entry.name for entry in with_changes().methods].index("npo")


@pytest.mark.parametrize("change", ["targets=[person]", "seeds=[1", "methods={}}", "seeds=[1 2]"])
def test_a_list_whose_quotes_the_shell_took_is_told_how_to_write_it(change):
    error = refusal(change)
    assert "is no list or table as TOML writes it" in error.what
    assert "single quotes" in error.remedy
    assert with_changes('targets=["person", "event", "both"]'), "as the remedy writes it"


def test_a_text_may_begin_with_a_bracket():
    assert with_changes("title=[draft] a title").title == "[draft] a title"


@pytest.mark.parametrize(
    "change",
    ["unlearn.steps=many", "unlearn.steps=-1", "seeds=[]", "unlearn.target_steps.person=x",
     "methods.npo.steps=0.5", "model={}", "methods=[{name='a'}]"],
)  # fmt: skip
def test_a_value_that_the_schema_refuses_names_the_change(change):
    assert refusal(change).what.startswith(f"{SMOKE}: --set {change}: ")


def test_a_number_with_more_digits_than_python_reads_is_refused_by_its_key():
    with pytest.raises(ManifestError, match=r"(?s)'finetune\.steps' is not valid.*whole number"):
        load_manifest(SMOKE, changes=[f"finetune.steps={'9' * 5_000}"])


def test_other_errors_name_the_file(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(SMOKE.read_text("utf-8").replace("warmup_steps", "warmup_stepz", 1), "utf-8")
    assert refusal("unlearn.steps=3", path=path).what.startswith(f"{path}: no key")


def test_a_calibrated_manifest_says_how_to_change_it():
    with pytest.raises(ManifestError) as caught:
        load_manifest(SMOKE, changes=["unlearn.steps=3"])
    assert "made for another experiment" in caught.value.what
    assert "--set claims=[]" in caught.value.remedy
    followed = load_manifest(SMOKE, changes=["unlearn.steps=3", "claims=[]"])
    assert (followed.unlearn.steps, followed.claims) == (3, ())


def test_changes_that_decide_no_answer_keep_the_calibration():
    assert load_manifest(SMOKE, changes=["compute.workers=1"]).claims


BASE = "base.toml"


@pytest.fixture
def short(tmp_path):
    """Write a manifest that extends a copy of the small one; returns its path."""
    shutil.copy(SMOKE, tmp_path / BASE)

    def write(text, old="", new=""):
        if old:
            base = (tmp_path / BASE).read_text("utf-8")
            assert old in base
            (tmp_path / BASE).write_text(base.replace(old, new, 1), "utf-8")
        path = tmp_path / "mine.toml"
        path.write_text(f'extends = "{BASE}"\nname = "mine"\n{text}', encoding="utf-8")
        return path

    return write


MINE = '[[add.methods]]\nname = "mine"\nlabel = "Mine"\nmethod = "npo"\ntargets = ["person"]\n'


def test_what_is_added_stands_behind_what_is_inherited(short):
    found = with_changes("methods.mine.steps=5", path=short(MINE + "[add]\nseeds = [7]\n"))
    smoke = with_changes()
    assert found.methods[:-1] == smoke.methods
    assert (found.methods[-1].name, found.methods[-1].steps) == ("mine", 5)
    assert found.seeds == (*smoke.seeds, 7)
    assert found.claims_of == BASE, "claims stay inherited"
    assert "add" not in found.resolved()


def test_claims_and_attacks_can_be_added(short):
    claim = (
        '[[add.claims]]\nid = "C999"\nkind = "bound"\ntext = "NPO forgets."\nsystem = "npo"\n'
        'target = "person"\npart = "person"\ncolumn = "efficacy"\nmetric = "forget_rate/1"\n'
        "at_least = 0.5\n"
    )
    attack = (
        '\n[[attack.entries]]\nname = "crop"\nlabel = "Crop"\nattack = "crop"\nlevels = [0.5]\n'
    )
    added = '[[add.attack.entries]]\nname = "blur"\nlabel = "Blur"\nattack = "blur"\nlevels = [2]\n'
    path = short(claim + added)
    base = path.with_name(BASE)
    base.write_text(base.read_text("utf-8") + attack, "utf-8")
    found = with_changes(path=path)
    assert [claim.id for claim in found.claims][-1] == "C999"
    assert len(found.claims) == len(with_changes().claims) + 1
    assert [entry.name for entry in found.attack.entries] == ["relearn", "crop", "blur"]


ADDED = (
    '[[add.claims]]\nid = "C999"\nkind = "bound"\ntext = "It forgets."\nsystem = "npo"\n'
    'target = "person"\npart = "person"\ncolumn = "efficacy"\nmetric = "forget_rate/1"\n'
    "at_least = 0.5\n"
)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"npo"', '"nope"', "claim C999: no system 'nope'"),
        ('system = "npo"', 'systems = ["po", "nope"]', "claim C999.nope: no system 'nope'"),
        ("C999", "C1", "claims.id has C1 twice"),
        ("at_least = 0.5\n", "", "claim C999: "),
    ],
)
def test_an_added_claim_is_not_said_to_be_inherited(short, old, new, said):
    """Of an inherited one, the same fault is."""
    text = ADDED.replace("It forgets", "{label} forgets") if "systems" in new else ADDED
    assert old in text
    added = text.replace(old, new)
    with pytest.raises(ManifestError) as caught:
        require_claims(with_changes(path=short(added)))
    assert said in caught.value.what
    assert "inherited" not in caught.value.what
    assert "claims = []" not in caught.value.remedy
    own = caught.value.what
    path = short("")
    whole = path.with_name(BASE)
    whole.write_text(whole.read_text("utf-8") + added.replace("add.claims", "claims"), "utf-8")
    with pytest.raises(ManifestError) as caught:
        require_claims(with_changes(path=path))
    assert caught.value.what == f"{own} (the claims are inherited from {BASE})"


def test_an_added_claim_without_a_calibration_is_told_to_state_its_equivalence(short):
    with pytest.raises(ManifestError, match="has no claim C999") as caught:
        load_manifest(short(ADDED))
    assert "inherited" not in caught.value.what
    assert "`equivalence`" in caught.value.remedy
    stated = ADDED + "equivalence = 0.1\n"
    assert load_manifest(short(stated)).claims[-1].equivalence == 0.1


@pytest.mark.parametrize(
    ("added", "what"),
    [
        ("add = 3\n", "'add' cannot be added"),
        ("[add.finetune]\nsteps = 3\n", "'add.finetune.steps' cannot be added"),
        ('[add]\nname = "x"\n', "'add.name' cannot be added"),
        ("[add.nothing.at]\nall = [1]\n", "'add.nothing' cannot be added"),
        ("[add]\nmethodz = []\n", "no key 'methodz'"),
        (MINE.replace('"mine"', '"npo"'), "methods.name has npo twice"),
    ],
)
def test_what_is_no_list_cannot_be_added(short, added, what):
    assert what in refusal(path=short(added)).what


def test_an_error_names_the_file_that_its_key_comes_from(short):
    path = short("", "warmup_steps", "warmup_stepz")
    inherited = f"{path.with_name(BASE)}, which {path} extends: "
    assert refusal(path=path).what.startswith(inherited + "no key 'finetune.warmup_stepz'")
    path = short("[finetune]\nstepz = 3\n", "warmup_stepz", "warmup_steps")
    assert refusal(path=path).what.startswith(f"{path}: no key 'finetune.stepz'")
    path = short("[unlearn]\nsteps = -1\n")
    assert refusal(path=path).what.startswith(f"{path}: 'unlearn.steps' is not valid")
    path, count = short(MINE.replace("label", "lable")), len(with_changes().methods)
    assert refusal(path=path).what.startswith(f"{path}: no key 'methods.{count}.lable'")
    path = short("", 'label = "NPO"', 'lable = "NPO"')
    assert refusal(path=path).what.startswith(inherited + "no key 'methods.")
    assert refusal("unlearn.steps=x", path=short("", 'lable = "NPO"', 'label = "NPO"')).what == (
        f"{path}: --set unlearn.steps=x: 'unlearn.steps' is not valid"
    )
    path = short("targets = ['person']\n")
    assert refusal(path=path).what.startswith(inherited + "method 'po' has target")


def test_a_manifest_that_extends_none_adds_nothing(tmp_path):
    path = tmp_path / "alone.toml"
    path.write_text(SMOKE.read_text("utf-8") + "[add]\nseeds = [2]\n", "utf-8")
    assert "no key 'add'" in refusal(path=path).what
