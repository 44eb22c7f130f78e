"""The manifest: what is not valid is named before any work, and equal experiments are equal."""

import copy
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.artifacts import PROJECT
from kit.errors import ManifestError
from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest, parse_manifest

MANIFESTS = sorted((PROJECT / "manifests").glob("*.toml"))
SMOKE = PROJECT / "manifests" / "smoke.toml"
DOCUMENT = tomllib.loads(SMOKE.read_text(encoding="utf-8"))


def as_written(path):
    """Read a manifest without the file of its calibration, which belongs to the small one alone."""
    return load_manifest(path, calibrated=False)


def changed(place, value):
    """Return the smoke manifest's document with one value changed; None removes the key."""
    document = copy.deepcopy(DOCUMENT)
    *sections, key = place.split(".")
    section = document
    for name in sections:
        section = section[int(name)] if name.isdigit() else section.setdefault(name, {})
    if value is None:
        del section[key]
    else:
        section[key] = value
    return document


def with_source(source):
    """Return the smoke manifest's document with another data source."""
    return {**copy.deepcopy(DOCUMENT), "sources": [source]}


def refusal(document):
    with pytest.raises(ManifestError) as caught:
        parse_manifest(document, "x.toml")
    assert caught.value.exit_code == 2
    assert caught.value.what.startswith("x.toml: ")
    return caught.value


def places(section, prefix=""):
    """Yield the place of every key of the document that the schema names."""
    for key, value in section.items():
        if key == "options":
            continue
        yield f"{prefix}{key}"
        if isinstance(value, dict) and key != "target_steps":  # targets are names, not keys
            yield from places(value, f"{prefix}{key}.")
        elif isinstance(value, list) and isinstance(value[0], dict):
            for index, entry in enumerate(value):
                yield from places(entry, f"{prefix}{key}.{index}.")


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_every_manifest_of_the_repository_is_valid(path):
    assert load_manifest(path).name == path.stem


def test_an_unknown_key_names_its_place_and_the_nearest():
    error = refusal(changed("unlearn.gradient_clipp", 1.0))
    assert "'unlearn.gradient_clipp'" in error.what
    assert error.remedy == "did you mean 'gradient_clip'?"


def test_a_key_of_another_section_lists_the_keys_of_this_one():
    error = refusal(changed("split.bootstrap_draws", 100))
    assert error.expected == "one of forget_percent, ids, max_per_column, seed"
    assert error.found == "'bootstrap_draws'"


@pytest.mark.parametrize(
    "place",
    [
        "methods.1.lable",
        "benchmark.columns.persom",
        "sources.0.mirror",
        "model.source.revison",
        "repor",
    ],
)
def test_an_unknown_key_is_found_at_every_depth(place):
    assert f"'{place}'" in refusal(changed(place, "x")).what


@st.composite
def misspelt(draw):
    place = draw(st.sampled_from(list(places(DOCUMENT))))
    *sections, key = place.split(".")
    at = draw(st.integers(0, len(key) - 1))
    letter = draw(st.sampled_from("abcxyz_"))
    wrong = draw(
        st.sampled_from([key[:at] + key[at + 1 :], key[:at] + letter + key[at:], key.upper()])
    )
    return place, ".".join([*sections, wrong])


@given(misspelt())
@settings(deadline=None, max_examples=200)
def test_any_single_misspelt_key_is_an_error_that_names_it(change):
    right, wrong = change
    value = DOCUMENT
    for part in right.split("."):
        value = value[int(part) if part.isdigit() else part]
    document = changed(right, None)
    *sections, key = wrong.split(".")
    section = document
    for part in sections:
        section = section[int(part) if part.isdigit() else part]
    if key in section or not key:
        return
    section[key] = value
    error = refusal(document)
    assert f"'{wrong}'" in error.what


@pytest.mark.parametrize("place", ["unlearn.steps", "methods.0.label", "compute", "title"])
def test_a_missing_key_is_named(place):
    assert f"key '{place}' is missing" in refusal(changed(place, None)).what


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("unlearn.steps", "many"),
        ("unlearn.steps", 0),
        ("unlearn.steps", 1.5),
        ("unlearn.learning_rate", -1.0),
        ("unlearn.learning_rate", float("nan")),
        ("unlearn.learning_rate", float("inf")),
        ("methods.0.options", {"beta": float("nan")}),
        ("methods.0.options", {"beta": [1]}),
        ("methods.0.targets", []),
        ("methods.0.name", "With Space"),
        ("methods.0.name", "../outside"),
        ("name", "a/b"),
        ("seeds", []),
        ("unlearn.stop", "sometimes"),
        ("split.max_per_column", 50),
        ("split.forget_percent", 0),
        ("split.forget_percent", 100),
        ("sources", []),
        ("sources.0.revision", "main"),
        ("sources.0.revision", "0922f59"),
        ("sources.0.repo", "../outside"),
        ("sources.0.name", "../outside"),
        ("evaluation.engine", "ollama"),
        ("model.quantization", "int8"),
        ("compute.threads", 0),
        ("benchmark", "pebench"),
    ],
)
def test_a_value_that_is_not_valid_is_named_with_what_was_found(place, value):
    error = refusal(changed(place, value))
    assert place in error.what
    assert error.expected


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        ("seeds", [1, 2, 1], "seeds has 1 twice"),
        ("targets", ["person", "event", "both", "event"], "targets has event twice"),
        ("methods.1.name", "po", "methods.name has po twice"),
    ],
)
def test_a_doubled_name_is_refused(place, value, named):
    assert named in refusal(changed(place, value)).what


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("unlearn.steps", True, "a whole number"),
        ("unlearn.steps", "60", "a whole number"),
        ("unlearn.steps", 1.5, "a whole number"),
        ("unlearn.steps", 10**30, f"a number of at most {2**63 - 1}"),
        ("unlearn.learning_rate", True, "a number"),
        ("unlearn.learning_rate", "0.1", "a number"),
        ("unlearn.learning_rate", float("nan"), "a finite number"),
        ("seeds", [True], "a whole number"),
        ("seeds", 1, "a list"),
        ("report.images", 1, "true or false"),
        ("methods", 3, "a list"),
        ("unlearn", 3, "a table"),
        ("methods.0.steps", True, "a whole number"),
        ("methods.0.options", {"beta": float("inf")}, "a finite number"),
        ("methods.0.options", {"beta": [1]}, "a number, a text, or true or false"),
        ("methods.0.options", {"beta": {"y": 1}}, "a number, a text, or true or false"),
        ("split.forget_percent", 0, "greater than 0"),
    ],
)
def test_a_value_has_the_type_that_is_written_and_errors_say_so_in_plain_words(
    place, value, expected
):
    error = refusal(changed(place, value))
    assert error.expected == expected
    key = f"{place}.beta" if place.endswith("options") else place
    assert f"'{key}" in error.what
    assert "float'" not in error.what, "the place is the manifest's, not pydantic's"


@pytest.mark.parametrize(
    ("place", "value", "expected", "remedy"),
    [
        ("evaluation.metrics", ["gradients"], "'gradient'", "did you mean 'gradient'?"),
        ("evaluation.metrics", ["x"], "'gradient'", "correct it; manifests/README.md"),
        ("evaluation.engine", "vlm", "'vllm' or 'transformers'", "did you mean 'vllm'?"),
        ("evaluation.metric_file", "m.txt", r"a text that matches ^[^\x00]*\.py$", "correct it"),
        ("unlearn.batch_size", 3, None, "change one of them"),
        ("seeds", [1, 1], None, "write each once"),
        ("evaluation.metrics", ["fluency", "fluency"], None, "write each once"),
        ("sources.0.folder", "data", "one of embedded", "keep one of them"),
    ],
)
def test_an_error_says_what_to_do(place, value, expected, remedy):
    error = refusal(changed(place, value))
    assert (expected or "") in (error.expected or "")
    assert error.remedy.startswith(remedy)


def test_a_target_of_a_method_must_be_one_of_the_experiment():
    error = refusal(changed("targets", ["person", "event"]))
    assert "method 'gd' has target 'both'" in error.what
    assert "person, event" in error.expected


@pytest.mark.parametrize("section", ["finetune", "unlearn"])
def test_a_batch_must_divide_into_micro_batches(section):
    error = refusal(changed(f"{section}.micro_batch_size", 7))
    assert f"{section}.batch_size is not a multiple" in error.what


@pytest.mark.parametrize(
    ("origins", "found"),
    [
        ({}, "none"),
        ({"folder": "data", "embedded": "pebench"}, "embedded, folder"),
        ({"repo": "owner/name", "folder": "data"}, "folder, repo"),
    ],
)
def test_a_source_has_exactly_one_origin(origins, found):
    source = {"name": "data", "checksums": "checksums/smoke.sha256", **origins}
    error = refusal(with_source(source))
    assert "source 'data' needs exactly one origin" in error.what
    assert error.found == found


def test_mirrors_alone_are_an_origin():
    source = {"name": "data", "checksums": "checksums/x.sha256", "mirrors": ["https://a.example"]}
    assert parse_manifest(with_source(source), "x").sources[0].mirrors == ("https://a.example",)


def test_two_sources_of_one_name_are_refused():
    document = with_source(DOCUMENT["sources"][0])
    document["sources"].append(document["sources"][0])
    assert "sources.name has pebench twice" in refusal(document).what


def test_a_manifest_that_is_not_there_lists_those_that_are():
    with pytest.raises(ManifestError, match=r"smoke\.toml"):
        load_manifest(PROJECT / "manifests" / "smok.toml")


@pytest.mark.parametrize("content", [b"name = ", b"\xe9 = 1", b"name = 1\nname = 2"])
def test_what_is_not_toml_is_a_manifest_error(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match="is not a TOML file"):
        load_manifest(path)


def test_a_folder_is_not_a_manifest(tmp_path):
    with pytest.raises(ManifestError):
        load_manifest(tmp_path)


def reordered(value):
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(v) for v in value] if isinstance(value, list) else value


def test_the_digest_does_not_depend_on_the_order_of_keys_or_on_comments(tmp_path):
    plain = as_written(SMOKE)
    assert parse_manifest(reordered(DOCUMENT), "x").digest() == plain.digest()
    lines = SMOKE.read_text(encoding="utf-8").splitlines()
    commented = "\n".join(f"{line}   # said" if line.endswith("]") else line for line in lines)
    (tmp_path / "smoke.toml").write_text(f"# changed\n{commented}\n", encoding="utf-8")
    assert as_written(tmp_path / "smoke.toml").digest() == plain.digest()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("seeds", [2]),
        ("unlearn.learning_rate", 1.1e-3),
        ("methods.0.options", {"retain_weight": 2.0}),
        ("report.seed", 9),
        ("compute.threads", 2),
        ("evaluation.max_new_tokens", 17),
    ],
)
def test_the_digest_depends_on_every_value(place, value):
    assert parse_manifest(changed(place, value), "x").digest() != as_written(SMOKE).digest()


def test_the_order_of_methods_is_part_of_the_experiment():
    turned = {**DOCUMENT, "methods": DOCUMENT["methods"][::-1]}
    assert parse_manifest(turned, "x").digest() != as_written(SMOKE).digest()


def test_a_default_that_is_written_out_is_the_same_experiment():
    written = changed("unlearn.weight_decay", 0.0)
    assert parse_manifest(written, "x").digest() == as_written(SMOKE).digest()


def test_what_a_result_stores_is_the_manifest_again():
    manifest = as_written(SMOKE)
    again = Manifest.model_validate(manifest.resolved())
    assert again == manifest
    assert again.digest() == manifest.digest()
    assert manifest.run_name == f"smoke-{manifest.digest()[:8]}"


def test_a_manifest_cannot_be_changed_after_it_was_validated():
    with pytest.raises(ValueError, match="frozen"):
        as_written(SMOKE).compute.threads = 8


def test_a_manifest_that_extends_another_says_only_what_differs(tmp_path):
    (tmp_path / "base.toml").write_bytes(SMOKE.read_bytes())
    short = tmp_path / "short.toml"
    short.write_text(
        'extends = "base.toml"\nname = "short"\nseeds = [2, 3]\n[finetune]\nsteps = 7\n'
        '[report]\nadapters = "claimed"\n'
    )
    whole, found = as_written(SMOKE), as_written(short)
    assert (found.name, found.seeds, found.finetune.steps) == ("short", (2, 3), 7)
    assert found.finetune.rank == whole.finetune.rank
    assert found.report.adapters == "claimed"
    assert (found.unlearn, found.methods, found.claims) == (
        whole.unlearn, whole.methods, whole.claims,
    )  # fmt: skip


@pytest.mark.parametrize("named", ['"nothing.toml"', '"short.toml"', "3", '""'])
def test_what_cannot_be_extended_is_named(tmp_path, named):
    short = tmp_path / "short.toml"
    short.write_text(f'extends = {named}\nname = "short"\n')
    with pytest.raises(ManifestError, match=r"nothing.toml does not exist|`extends` is not|read"):
        load_manifest(short)


def test_merged_weights_in_bfloat16_are_refused_because_they_lose_small_updates():
    """Between 1 and 2, bfloat16 holds 128 values: an update of 0.003 is rounded away."""
    document = changed("model.compute_dtype", "bfloat16")
    document["evaluation"]["serving"] = "merged"
    error = refusal(document)
    assert "evaluation.serving = 'adapters'" in error.remedy
    document["evaluation"]["serving"] = "adapters"
    assert parse_manifest(document, "x.toml").model.compute_dtype == "bfloat16"
