"""A label or a claim reads as it is written, or the manifest is refused before anything runs."""

import pytest

from kit.artifacts import PROJECT
from kit.errors import ManifestError
from kit.experiment.labels import Entry, label_faults
from kit.experiment.manifest_file import load_manifest
from kit.experiment.plain_texts import skeleton, text_fault
from kit.plan.names import require_names


@pytest.mark.parametrize(
    ("one", "other"),
    [("NPO", "NP0"), ("GD l", "GD I"), ("GD 1", "gd l"), ("PO", "\u0420\u041e"), ("A", "\uff21")],
)
def test_labels_that_a_font_prints_alike_have_one_skeleton(one, other):
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("label", "of"), [("VaniIla", "the vanilla"), ("NP0", "method 'npo'")])
def test_a_label_that_passes_for_another_is_told(label, of):
    entries = [Entry("npo", "NPO", ("person",)), Entry("other", label, ("person",))]
    ((number, target, fault),) = label_faults(entries)
    assert (number, target) == (1, "person")
    assert of in fault


def test_letters_are_told_by_their_names():
    assert "CYRILLIC SMALL LETTER O in a word" in text_fault("f\u043erget")
    assert "GREEK CAPITAL LETTER ALPHA in a word" in text_fault("G\u0391")
    assert text_fault("\u0394NPO") == ""
    # Russian, with letters that are not Latin ones.
    assert text_fault("\u0445\u0443\u0436\u0435, \u0447\u0435\u043c NPO") == ""


@pytest.mark.parametrize("title", ["Sm\u0430ll", "a\u200bb", "two\nlines"])
def test_a_manifest_with_such_a_text_is_refused_by_plan(title):
    manifest = load_manifest(PROJECT / "manifests" / "smoke.toml", changes=["claims=[]"])
    require_names(manifest)
    with pytest.raises(ManifestError, match="a text of 'title' is written with") as caught:
        require_names(manifest.model_copy(update={"title": title}))
    assert caught.value.found == f"title = {title!a}"
