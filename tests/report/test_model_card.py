"""A model card says what card.json and run.json say, in the form of the Hugging Face hub."""

import copy
import json

import pytest
from huggingface_hub import ModelCard

from kit.artifacts import PROJECT
from kit.digests import sha256_file
from kit.report.model_card import model_card
from tests.toys.signed_result import ADAPTER_FACTS, CARD, LISTS


@pytest.fixture
def run(signed):
    return json.loads((signed / "run.json").read_bytes())


def card_of(run, **facts):
    return ModelCard(model_card(ADAPTER_FACTS | facts, run))


def test_each_adapter_has_a_card_that_the_hub_can_read(signed):
    assert len(list(signed.glob("adapters/*/README.md"))) == 3
    path = signed / CARD.replace("card.json", "README.md")
    card = ModelCard.load(path)
    assert card.data.to_dict() == {
        "base_model": "org/base",
        "library_name": "peft",
        "pipeline_tag": "image-text-to-text",
        "tags": ["lora", "machine-unlearning", "pebench-kit", "npo"],
    }


def test_a_card_tells_method_target_seed_and_the_digest_of_its_inputs(run):
    text = card_of(run).text
    for said in (
        "# person-npo-s1",
        "NPO: `kit/methods/npo.py`",
        "| Trained to forget | `person`, in the report: Forgetting people |",
        "| Seed | 1 |",
        "| Steps | 30 of 40 |",
        "| Stopped early | forget loss above log V |",
        "| Needs | `forget`, `reference_scalars`, `retain` |",
        f"| Digest of its inputs | `{'cd' * 32}` |",
        f"`{run['manifest_digest']}`",
        "not meant for deployment",
    ):
        assert said in text, said


def test_the_settings_are_those_of_the_method_where_it_changes_the_stages(run):
    text = card_of(run).text
    assert "| `steps` | 40 |" in text
    assert "| `options.beta` | 0.2 |" in text
    assert "| `batch_size` | 16 |" in text
    assert "checkpoint_every" not in text


def test_each_source_is_named_with_its_licence_and_its_list(run):
    text = card_of(run).text
    digest = sha256_file(PROJECT / LISTS["base"])
    assert f"| base model base | org/base | {'c0' * 20} | none stated | `{digest}` |" in text
    assert "| data tiny | drawn by the kit | - | none stated in the manifest |" in text


def test_no_licence_is_given_to_an_adapter_and_no_hub_model_to_a_base_that_is_none(run):
    run = copy.deepcopy(run)
    run["manifest"]["model"]["source"]["repo"] = None
    card = card_of(run)
    assert card.data.license is None
    assert card.data.base_model is None
    assert "No licence has been stated for this adapter." in card.text


@pytest.mark.parametrize(
    ("name", "target", "said"),
    [
        ("vanilla", None, "has unlearned nothing."),
        ("retain_only-both", "both", "fine-tuned\nwithout the forget set"),
    ],
)
def test_fine_tuning_has_forgotten_nothing_and_has_no_method(run, name, target, said):
    run = copy.deepcopy(run)
    run["manifest"]["finetune"] = {"steps": 200, "rehearsal": 0.25}
    card = card_of(run, name=name, stage="finetune", target=target, stopped=None)
    assert said in card.text
    assert "| Trained to forget | nothing |" in card.text
    assert "| Steps | 30 of 200 |" in card.text
    assert "Method" not in card.text
    assert card.data.tags == ["lora", "machine-unlearning", "pebench-kit"]


def test_what_differs_between_two_runs_of_one_manifest_is_not_in_a_card(run):
    again = copy.deepcopy(run) | {"written": "2027-01-01T00:00:00+00:00", "attempts": []}
    again["stages"] = [{"stage": "unlearn", "seconds": 9.0}]
    told = {"seconds": 99.0, "forward_passes": 7, "micro_batch_size": 4}
    assert model_card(ADAPTER_FACTS | told, again) == model_card(ADAPTER_FACTS, run)


def test_a_value_can_neither_end_its_cell_nor_the_head(run):
    run = copy.deepcopy(run)
    run["manifest"]["methods"][0] |= {"label": "a | b\n---\n<b>", "method": 'x"\n---\ny: 1'}
    card = card_of(run)
    assert card.data.tags[-1] == 'x"\n---\ny: 1'
    assert 'a \\| b --- \\<b\\>: `kit/methods/x" --- y: 1.py`' in card.text


def test_a_card_of_a_job_that_the_manifest_does_not_have_cannot_be_made(run):
    with pytest.raises(KeyError, match="person-ga-s1"):
        card_of(run, name="person-ga-s1")


def test_the_fixture_is_what_the_kit_writes(signed):
    assert json.loads((signed / CARD).read_bytes()) == ADAPTER_FACTS
