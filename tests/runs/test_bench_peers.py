"""`bench peers`: how a ratio and its interval are made, and that a void comparison is refused."""

import json
import subprocess
import sys
from itertools import product
from xml.etree import ElementTree

import pytest

from kit.artifacts import PROJECT
from kit.errors import MissingStageError
from tests.bench import peers
from tests.bench.against import generate
from tests.bench.against.generate import BATCHED, SINGLE, Way
from tests.bench.against.logits import vocabulary_like
from tests.bench.against.text import figure, table
from tests.bench.against.turns import Row, coverage, in_turns, require_close
from tests.bench.hidden import TEXT
from tests.bench.random_models import SIZES

FAST = Row("(a) answers", "one at a time", "answers/s", (10, 30, 20), (5, 5, 5), "equal", 4.0)
SMALL = Row("(d) weights", "a second copy", "bytes", (5e6,), (10e6,), "equal", 0.6)


def test_a_ratio_is_the_median_of_pairs_and_is_held_against_what_is_wanted():
    assert FAST.ratios == (2, 6, 4)
    assert FAST.ratio == 4
    assert FAST.reached
    assert SMALL.ratio == 0.5
    assert SMALL.reached, "of bytes, less is better"
    facts = FAST.facts()
    assert facts["interval"] == [2, 6]
    assert facts["coverage"] == 0.75


@pytest.mark.parametrize("repeats", [1, 2, 3, 5, 8])
def test_the_interval_holds_the_median_unless_all_values_are_on_one_side_of_it(repeats):
    sides = list(product((-1, 1), repeat=repeats))
    held = sum(min(each) < 0 < max(each) for each in sides)
    assert coverage(repeats) == pytest.approx(held / len(sides))


def test_ways_take_turns_and_none_is_always_first():
    calls: list[str] = []
    seconds, found = in_turns([lambda: calls.append("a"), lambda: calls.append("b")], 2)
    assert calls == ["b", "a", "a", "b", "b", "a"], "warm-up, then there and back"
    assert [len(each) for each in seconds] == [2, 2]
    _, found = in_turns([lambda: 1, lambda: 2], 3, warm=False)
    assert found == [1, 2]


def test_ways_that_find_something_else_are_not_compared():
    assert require_close(1.0, 1.001, 0.01, "losses") == "losses 1e-03 apart"
    for other in (1.1, float("nan")):
        with pytest.raises(AssertionError, match="losses: kit"):
            require_close(1.0, other, 0.01, "losses")
    said = {("vanilla", "r1"): "yes", ("vanilla", "r2"): "no"}
    way = Way(said, asking=1.0, processor=0.5, whole=2.5)
    whole, loaded = generate._rows("a", SINGLE, [way], [way])
    assert (whole.kit, whole.wanted) == ((2 / 2.5,), 10), "(a) loads a model for each system"
    assert (loaded.kit, loaded.wanted) == ((2 / 0.5,), None)
    whole, loaded = generate._rows("b", BATCHED, [way], [way])
    assert (whole.wanted, loaded.wanted) == (None, 1.5), "(b) is about batches"
    for wrong in ({("vanilla", "r1"): "no", ("vanilla", "r2"): "no"}, {("vanilla", "r1"): "yes"}):
        with pytest.raises(AssertionError, match="answer"):
            generate._rows("a", SINGLE, [way], [Way(wrong, 1.0, 0.5, 2.5)])


def test_the_output_layer_has_the_share_of_the_published_model():
    """LLaVA: 32,064 x 4,096 weights beside 32 layers of 4 x 4,096^2 + 3 x 4,096 x 11,008."""
    share = 32064 * 4096 / (32 * (4 * 4096**2 + 3 * 4096 * 11008))
    narrow = vocabulary_like(SIZES["llava"]["text"], TEXT) * 256
    assert narrow / (32 * (4 * 256**2 + 3 * 256 * 688)) == pytest.approx(share, rel=1e-3)


def test_table_json_and_figure_show_every_row(tmp_path, capsys):
    missed = Row("(b) answers", "a batch", "answers/s", (10, 10), (20, 20), "equal", 1.5)
    peers.write([FAST, missed, SMALL], tmp_path)
    text = capsys.readouterr().out
    assert "| (a) answers | 20 answers/s | 5 answers/s | 4.00 | 2.00 to 6.00 | 4 or more |" in text
    assert "| 0.50 | 0.50 to 0.50 | 1.5 or more, missed |" in text
    assert "| (d) weights | 5.0 MB | 10.0 MB | 0.50 | counted | 0.6 or less |" in text
    assert table([FAST]) in (tmp_path / "peers.md").read_text()
    rows = json.loads((tmp_path / "peers.json").read_text())["rows"]
    assert [row["reached"] for row in rows] == [True, False, True]
    drawn = ElementTree.fromstring((tmp_path / "peers.svg").read_text())
    texts = {node.text for node in drawn.iter() if node.text}
    assert {"(a) answers", "(b) answers", "4.00 (2.00 to 6.00)"} <= texts
    assert "(d) weights" not in texts, "bytes are no rate"
    assert figure([]).height > 0


def tried(folder, *names):
    """Return the rows of comparisons that ran at the tiny scale, in a process of their own."""
    command = [sys.executable, "-m", "tests.bench", "peers", *names, "--scale", "tiny"]
    command += ["--repeats", "2", "--output", str(folder)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "the ratios mean nothing" in done.stdout
    return json.loads((folder / "peers.json").read_text())["rows"]


@pytest.mark.slow
@pytest.mark.extended
def test_likelihoods_and_steps_run_beside_their_baselines_on_tiny_models(tmp_path):
    rows = tried(tmp_path, "metrics", "references", "tower", "logits")
    assert {row["name"][:3] for row in rows} == {"(c)", "(d)", "(e)", "(f)"}
    assert all(len(row["kit"]) == 2 for row in rows if row["unit"] != "bytes")
    assert all(row["wanted"] is None for row in rows), "nothing is wanted of a tiny model"


@pytest.mark.slow
@pytest.mark.extended
def test_the_engine_answers_as_generate_does_on_a_tiny_model(tmp_path):
    rows = tried(tmp_path, "generate")
    assert [row["name"][:3] for row in rows] == ["(a)", "(a)", "(b)", "(b)"]
    assert {row["equal"] for row in rows} == {"all 6 answers are equal"}


def test_an_experiment_that_was_not_run_has_no_systems_to_ask(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    with pytest.raises(MissingStageError, match=r"run `./run.sh all .*smoke.toml` first"):
        generate.measure(tmp_path)
