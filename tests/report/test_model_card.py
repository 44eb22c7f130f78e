"""A model card says what card.json and run.json say, in the form of the Hugging Face hub."""

import copy
import json

import pandas as pd
import pytest
from huggingface_hub import ModelCard, ModelCardData
from huggingface_hub.repocard_data import model_index_to_eval_results

from kit.artifacts import PROJECT
from kit.digests import sha256_file
from kit.errors import VerificationError
from kit.report.model_card import model_card
from kit.verification.verify import verify
from tests.toys.signed_result import ADAPTER_FACTS, CARD, LISTS, TRUSTED, forge


@pytest.fixture
def run(signed):
    return json.loads((signed / "run.json").read_bytes())


def card_of(run, **facts):
    return ModelCard(model_card(ADAPTER_FACTS | facts, run))


def test_each_adapter_has_a_card_that_the_hub_can_read(signed):
    assert len(list(signed.glob("adapters/*/README.md"))) == 3
    path = signed / CARD.replace("card.json", "README.md")
    card = ModelCard.load(path)
    told = card.data.to_dict()
    assert told.pop("model-index")[0]["name"] == "person-npo-s1"
    assert told == {
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


def test_the_settings_that_a_method_states_of_its_own_are_its_own(run):
    run["manifest"]["methods"][0] |= {"rank": 3, "alpha": 6.0, "batch_size": 8}
    text = card_of(run).text
    for said in ("| `rank` | 3 |", "| `alpha` | 6.0 |", "| `batch_size` | 8 |"):
        assert said in text, said


def test_a_card_says_whether_the_base_was_quantised(run):
    assert "the base model was quantised (nf4) and frozen." in card_of(run).text
    run["manifest"]["model"]["quantization"] = "none"
    assert "the base model was not quantised, and it was frozen." in card_of(run).text


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


def values_of(path):
    """Return {(target, part, column, metric): (value, low, high, n)} as the hub reads a card."""
    return {
        (*result.dataset_config.split("/"), result.metric_type): (
            result.metric_value,
            *(result.metric_args.get(name) for name in ("low", "high", "n")),
        )
        for result in ModelCard.load(path).data.eval_results
    }


@pytest.mark.parametrize("name", ["vanilla", "person-npo-s1", "retain_only-person"])
def test_the_hub_reads_the_headline_values_of_the_rows_in_a_card(signed, name):
    rows = pd.read_parquet(signed / "rows.parquet")
    own = rows[(rows["system"] == name) & rows["headline"] & rows["value"].notna()]
    expected = {
        (row.target, row.part, row.column, row.metric): (row.value, row.low, row.high, row.n)
        for row in own.itertuples()
    }
    assert len(expected) >= 3
    found = values_of(signed / "adapters" / name / "README.md")
    assert found.keys() == expected.keys()
    for place, numbers in found.items():
        assert [n for n in numbers if n is not None] == [n for n in expected[place] if n == n]


def test_the_model_index_is_the_one_that_the_hub_s_own_library_writes(signed):
    data = ModelCard.load(signed / "adapters" / "vanilla" / "README.md").data
    assert data.model_name == "vanilla"
    written = ModelCardData(model_name=data.model_name, eval_results=data.eval_results).to_dict()
    name, again = model_index_to_eval_results(written["model-index"])
    assert (name, again) == ("vanilla", data.eval_results)


@pytest.mark.parametrize("value", [1e-05, 1.5e-07, 0.0, 1.0, 1 / 3])
def test_a_value_is_read_as_the_number_that_it_is(run, value):
    row = {"target": "person", "part": "person", "column": "scope", "metric": "probability",
           "version": 1, "value": value, "n": 4, "low": None, "high": value}  # fmt: skip
    text = model_card(ADAPTER_FACTS, run, {"person-npo-s1": [row]})
    (result,) = ModelCard(text).data.eval_results
    assert (result.metric_value, result.metric_args) == (
        value,
        {"version": 1, "n": 4, "high": value},
    )
    assert result.dataset_type == "pebench"
    assert result.dataset_name == "tiny"


def test_a_hub_data_set_is_named_with_its_revision_and_a_title_cannot_end_the_head(run):
    run = copy.deepcopy(run)
    run["manifest"]["title"] = 'a"}\n---\n# {"b: \U0001f600'
    run["sources"][0] |= {"repo": "some/data", "revision": "ab" * 20}
    row = {"target": "person", "part": "person", "column": "scope", "metric": "name_hit",
           "version": 1, "value": 0.5, "n": 4, "low": 0.1, "high": 0.9}  # fmt: skip
    (result,) = ModelCard(
        model_card(ADAPTER_FACTS, run, {"person-npo-s1": [row]})
    ).data.eval_results
    assert result.dataset_name == run["manifest"]["title"]
    assert (result.dataset_type, result.dataset_revision) == ("some/data", "ab" * 20)


def test_a_card_of_a_result_whose_value_was_changed_is_refused(damaged):
    path = damaged / "adapters" / "vanilla" / "README.md"
    text = path.read_text(encoding="utf-8")
    assert "value: 0.5" in text
    path.write_text(text.replace("value: 0.5", "value: 0.9", 1), encoding="utf-8")
    forge(damaged)
    with pytest.raises(VerificationError, match=r"README\.md does not follow"):
        verify(damaged, trusted=TRUSTED)
