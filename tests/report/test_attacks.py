"""Headlines of methods under attack: behavioural, durable, or why neither."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from kit.experiment.attack import Condition
from kit.metrics.attacked import with_attacks
from kit.metrics.intervals import Intervals
from kit.metrics.recovery import Recovery
from kit.metrics.rows import measure
from kit.report.attack_grid import attack_drawing, attack_files, make_grids, removed_note
from kit.report.attacks import _headline, _outcome, attack_facts, attack_glance
from kit.report.pages import svg_file
from tests.metrics.test_recovery import CLEAN
from tests.toys.attacked import (
    HONEST,
    PLANTED,
    SYSTEMS,
    asked_people,
    attacked,
    attacked_table,
)
from tests.toys.results import PROTOCOL, toy_inputs

ROLE, CROP = Condition("role", 1.0), Condition("crop", 0.5)
LISTED = [
    {"name": "role", "label": "Role play", "attack": "role_play", "levels": [1.0]},
    {"name": "crop", "label": "Crop", "attack": "crop", "levels": [0.5]},
]
MANIFEST = {"attack": {"entries": LISTED}}
SETTINGS = Intervals(200, 0)
TITLES = {("person", "person"): "Forgetting people"}


def facts(role, crop=HONEST, **clean):
    measured = attacked({ROLE: role, CROP: crop}, **{**CLEAN, **clean})
    return attack_facts(measured, MANIFEST, [], SETTINGS)


def headline(found, entry):
    return next(head for head in found["headlines"] if head["entry"] == entry)


def cell(found, entry, attack):
    return next(c for c in found["cells"] if (c["entry"], c["attack"]) == (entry, attack))


def test_retain_only_is_the_control_of_every_attack_and_is_not_judged():
    found = facts(PLANTED)
    assert cell(found, "retain_only", "role")["outcome"] == "control"
    assert cell(found, "retain_only", "role")["value"] == 0


def test_what_comes_back_under_one_of_two_attacks_is_behavioural_forgetting():
    head = headline(facts(PLANTED), "npo")
    assert (head["outcome"], head["attacks"], head["tested"]) == (
        "behavioural", ["Role play (1)"], 2,
    )  # fmt: skip


def test_a_prompt_that_hides_names_is_behavioural_where_vanilla_answers():
    assert headline(facts(PLANTED, prompt=4), "prompt")["outcome"] == "behavioural"


def test_sixteen_answers_cannot_show_that_nothing_comes_back():
    """16 zeros leave 0.34 possible, more than 0.2: the question is open, and so is the headline."""
    found = facts(HONEST)
    assert cell(found, "npo", "role")["outcome"] == "undecided"
    assert headline(found, "npo")["outcome"] == "undecided"


@pytest.mark.parametrize(
    ("outcomes", "collapsed", "said"),
    [
        (("stays away", "stays away"), False, "durable"),
        (("stays away", "undecided"), False, "undecided"),
        (("stays away", "comes back"), False, "behavioural"),
        (("stays away", "stays away"), True, "broken"),
        (("comes back", "undecided"), True, "behavioural"),
        (("shows nothing", "stays away"), False, "durable"),
        (("shows nothing", "shows nothing"), False, "not tested"),
    ],
)
def test_all_attacks_that_show_something_must_agree_for_durable(outcomes, collapsed, said):
    measured = attacked({ROLE: PLANTED, CROP: HONEST}, **CLEAN)
    cells = facts(PLANTED)["cells"]
    own = [c for c in cells if c["entry"] == "npo"]
    for one, outcome in zip(own, outcomes, strict=True):
        one["outcome"] = outcome
    place = next(g for g in measured.groups if (g.target, g.column) == ("person", "efficacy"))
    assert _headline(own, measured, place, collapsed)["outcome"] == said


def test_what_is_half_known_without_an_attack_was_not_forgotten():
    head = headline(facts({**PLANTED, "npo": 16}, npo=8), "npo")
    assert (head["outcome"], head["reason"]) == ("not forgotten", "50 % is known as it is")


def test_a_base_that_knew_nothing_gives_no_headline_but_the_reason():
    found = facts(PLANTED, vanilla=0)
    assert {c["outcome"] for c in found["cells"]} == {"shows nothing"}
    head = headline(found, "npo")
    assert head["outcome"] == "not tested"
    assert head["reason"].startswith("Vanilla does not know it clearly better")


def test_an_attack_under_which_vanilla_is_silent_counts_for_nothing():
    found = facts(PLANTED, crop={**HONEST, "vanilla": 0})
    assert headline(found, "npo")["tested"] == 1
    assert cell(found, "npo", "crop")["reason"].startswith("under this attack, Vanilla does not")


def test_the_cells_hold_the_recovery_its_clustered_interval_and_what_is_known():
    one = cell(facts({**PLANTED, "npo": 12, "retain_only": 4}), "npo", "role")
    assert (one["value"], one["before"], one["under"], one["control"]) == (0.5, 0.0, 0.75, 0.25)
    assert (one["n"], one["clusters"]) == (16, 4)
    assert one["low"] < 0.5 < one["high"]
    assert cell(facts(PLANTED), "retain_only", "role")["value"] == 0.0


def test_the_top_of_a_report_names_the_methods_of_each_headline():
    found = facts(PLANTED, prompt=4)
    assert list(attack_glance(found["headlines"], TITLES)) == [
        "Under attack, forgetting people: what was to be forgotten comes back for NPO and Prompt "
        "only (behavioural forgetting); may do either for GA (undecided)."
    ]


def test_the_figure_is_well_formed_and_the_tables_have_every_cell():
    found = facts(PLANTED)
    figure = ElementTree.fromstring(svg_file(attack_drawing(make_grids(found, TITLES))))
    assert figure.tag.endswith("svg")
    grid = make_grids(found, TITLES)[0]
    assert len(grid.lines) == 5
    assert [line.outcome for line in grid.lines][0::4] == ["forgot nothing", "control"]
    files = attack_files(found)
    assert files["attacks.csv"].count("\n") == 1 + 5 * 2
    assert files["survival.csv"].count("\n") == 1 + 3


def test_the_figure_says_in_words_what_its_colours_and_frames_mean():
    """NPO knows 12 of 16 under role play, Retain-only 4: (12 - 4) / 16 come back."""
    grids = make_grids(facts({**PLANTED, "npo": 12, "retain_only": 4}), TITLES)
    shapes = attack_drawing(grids).shapes
    said = [shape.text for shape in shapes if shape.kind == "text"]
    assert said[:3] == ["Forgetting people", "Role play 1", "Crop 0.5"], "title and columns"
    npo = said.index("NPO")
    assert said[npo : npo + 4] == ["NPO", "0.50", "0.00", "undecided"], "a line, and its outcome"
    (tip,) = (shape.tip for shape in shapes if shape.tip.startswith("NPO, Role play 1: "))
    assert tip == (
        "NPO, Role play 1: undecided, recovery +0.50, known 0.00 before, 0.75 under attack; "
        "Retain-only 0.25"
    )
    cells = [shape for shape in shapes if shape.style == "cell"]
    assert len(cells) == len([shape for shape in shapes if shape.tip]) == 5 * 2


def test_a_frame_marks_what_comes_back_and_a_grey_cell_what_shows_nothing():
    shapes = attack_drawing(
        make_grids(facts(PLANTED, crop={**HONEST, "vanilla": 0}), TITLES)
    ).shapes
    cells = [shape for shape in shapes if shape.tip]
    frames = [shape for shape in shapes if shape.style in ("back", "cellframe")]
    marked = [cell.tip for cell, frame in zip(cells, frames, strict=True) if frame.style == "back"]
    assert marked
    assert all(": comes back, recovery" in tip for tip in marked)
    assert not any(tip.startswith(("Vanilla, ", "Retain-only, ")) for tip in marked)
    grey = [cell.tip for cell in cells if cell.style == "none"]
    assert len(grey) == 5, "each system under the attack that silences Vanilla"
    assert all(", Crop 0.5: shows nothing" in tip for tip in grey)


@pytest.mark.parametrize(
    ("attack", "methods", "said"),
    [
        ("relearn_forget", ["npo", "manu", "mip_editor"], "For manu!, mip_editor!, it shows only"),
        ("relearn_forget", ["npo"], ""),
        ("crop", ["manu"], ""),
    ],
)
def test_the_table_says_that_relearning_revives_no_removed_neuron(attack, methods, said):
    listed = [{**LISTED[0], "attack": attack}]
    manifest = {
        "attack": {"entries": listed},
        "methods": [{"method": name, "label": f"{name}!"} for name in methods],
    }
    found = removed_note(manifest)
    assert said in found
    assert bool(found) == bool(said)


def many(before, under, control):
    """Return the recovery of 100 records; before, under and control: how many each knows.

    Retain-only knows as many without the attack as with it.
    """

    def first(count):
        return (np.arange(100) < count).astype(float)

    apart, clean = first(under) - first(control), first(before) - first(control)
    return Recovery(
        ids=tuple(map(str, range(100))), values=apart - clean, apart=apart,
        clusters=np.arange(100), before=before / 100, under=under / 100,
        control_before=control / 100, control=control / 100,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "under", "control", "said"),
    [
        (0, 40, 0, "comes back"),
        (0, 40, 40, "stays away"),  # it answers again, and knows what Retain-only knows
        (20, 40, 40, "stays away"),
        (0, 90, 40, "comes back"),  # 0.5 beyond Retain-only, though R is 0.9
        (0, 55, 40, "undecided"),
        (40, 40, 40, "stays away"),
        (60, 60, 40, "stays away"),  # never forgotten, so nothing comes back: as R has it
        (60, 90, 40, "comes back"),
    ],
)
def test_the_way_back_up_to_retain_only_is_nothing_that_was_forgotten(before, under, control, said):
    assert _outcome(many(before, under, control), ("x",), 2) == said


def test_the_first_rule_counts_the_way_back_up_so_that_earlier_results_stay_verifiable():
    assert _outcome(many(0, 40, 40), ("x",), 1) == "comes back"


def test_what_was_kept_is_seen_where_an_attack_shows_something_and_asks_most():
    """The first attack asks two records, which Vanilla never knew: they say nothing of keeping."""
    inputs = toy_inputs()
    right, asked = inputs["records"].set_index("id")["answer"], asked_people(inputs)
    table = inputs["answers"]
    for entry, known in {**CLEAN, "vanilla": 13}.items():
        mine = (table["system"] == SYSTEMS[entry]) & table["record_id"].isin(asked)
        told = table.loc[mine, "record_id"].isin(asked[:known])
        table.loc[mine, "text"] = table.loc[mine, "record_id"].map(right).where(told, "Nobody.")
    under = attacked_table(inputs, {ROLE: PLANTED, CROP: PLANTED})
    few = (under["attack"] == "role") & ~under["record_id"].isin(asked[14:])
    measured = with_attacks(measure(**inputs, protocol=PROTOCOL), under[~few])
    found = attack_facts(measured, MANIFEST, [], SETTINGS)
    assert cell(found, "npo", "role")["outcome"] == "shows nothing"
    head = headline(found, "npo")
    assert (head["outcome"], head["attacks"]) == ("behavioural", ["Crop (0.5)"])
