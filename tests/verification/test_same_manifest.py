"""Of which manifest is a result? `verify` names it, and says whether it is the one meant."""

from dataclasses import replace

import pytest

from kit.experiment.manifest import Manifest
from kit.experiment.manifest_file import load_manifest
from kit.verification.same_manifest import compare_manifest
from kit.verification.text import accepted_json, describe
from kit.verification.verify import verify
from tests.toys.dataset import TOY
from tests.toys.signed_result import TRUSTED


@pytest.fixture(scope="module")
def result(signed):
    """A verified result, as if it were one of the toy experiment."""
    manifest = load_manifest(TOY)
    found = verify(signed, trusted=TRUSTED)
    return replace(found, manifest=manifest.resolved(), manifest_digest=manifest.digest())


def of(result, change):
    document = load_manifest(TOY).resolved()
    change(document)
    made = Manifest.model_validate(document)
    return replace(result, manifest=made.resolved(), manifest_digest=made.digest())


def test_the_summary_names_the_manifest_and_its_digest(result):
    assert f"manifest: {result.run_name}, sha256 {result.manifest_digest}" in describe(result)
    assert f'"run_name": "{result.run_name}"' in accepted_json(result)
    assert result.run_name.startswith("toy-")


def test_a_folder_whose_digits_are_of_outside_data_is_named_beside_the_manifest(result, signed):
    assert result.folder == signed.name
    named = replace(result, folder="toy-0123abcd")
    assert f"manifest: {result.run_name}, sha256" in describe(named)
    assert "folder: toy-0123abcd: its digits are of this manifest and of the checksum" in describe(
        named
    )
    for plain in (result.run_name, "their-copy", "toy-0123abcd-2"):
        assert "folder:" not in describe(replace(result, folder=plain))


def test_the_manifest_itself_is_recognised(result):
    found = compare_manifest(result, load_manifest(TOY), "toy.toml")
    assert found.outcome == "ok"
    assert found.message == "the manifest is that of toy.toml, to the byte"


def exchange(document):
    labels = [method["label"] for method in document["methods"][:2]]
    document["methods"][0]["label"], document["methods"][1]["label"] = reversed(labels)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (exchange, "methods.po.label is 'GA', not 'PO'; methods.ga.label is 'PO', not 'GA'"),
        (lambda d: d["methods"][0].update(method="npo"), "methods.po.method is 'npo', not 'po'"),
        (lambda d: d["unlearn"].update(steps=1), "unlearn.steps is '1', not '60'"),
        (lambda d: d["split"].update(max_per_column=51), "split.max_per_column is '51', not '64'"),
        (lambda d: d["methods"].pop(), "is missing"),
        (lambda d: d.update(seeds=[5]), "seeds is '[5]', not '[1]'"),
    ],
)
def test_another_manifest_is_told_with_what_differs(result, change, said):
    found = compare_manifest(of(result, change), load_manifest(TOY), "toy.toml")
    assert found.outcome == "not checked"
    assert found.message.startswith("the manifest is NOT that of toy.toml, but for the claims: ")
    assert said in found.message


def test_a_manifest_of_an_earlier_kit_lacks_keys_that_do_nothing(result):
    older = dict(result.manifest)
    older["unlearn"] = {k: v for k, v in older["unlearn"].items() if k != "lora_dtype"}
    early = replace(result, manifest=older, manifest_digest="0" * 64)
    found = compare_manifest(early, load_manifest(TOY), "toy.toml")
    assert (found.outcome, found.message) == ("ok", "the manifest says the same as toy.toml")
