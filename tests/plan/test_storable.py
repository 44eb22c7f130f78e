"""What a verifier would refuse of a result is refused of its manifest, before any work."""

import pytest

from kit.errors import ManifestError
from kit.experiment.manifest import Manifest
from kit.plan.names import require_names
from kit.plan.storable import require_storable
from kit.result.limits import MAX_FACT, MAX_LABEL, MAX_SYSTEMS
from kit.result.run_file import MAX_DRAWS
from tests.toys.dataset import manifest


def changed(**sections) -> Manifest:
    document = manifest().resolved()
    for name, value in sections.items():
        document[name] = document[name] | value if isinstance(value, dict) else value
    return Manifest.model_validate(document)


@pytest.mark.parametrize(
    "sections",
    [
        {"title": "a" * MAX_LABEL},
        {"name": "a" * MAX_LABEL},
        {"report": {"bootstrap_draws": MAX_DRAWS, "seed": 2**63 - 1}},
    ],
)
def test_what_a_result_may_hold_passes(sections):
    require_names(changed(**sections))


@pytest.mark.parametrize(
    ("sections", "found"),
    [
        ({"title": "a" * (MAX_LABEL + 1)}, "manifest.title is no line of at most 200"),
        ({"title": "Oubli\u00a0: 90\u202f%"}, "manifest.title is no line"),
        ({"name": "a" * (MAX_LABEL + 1)}, "manifest.name is no line"),
        ({"report": {"bootstrap_draws": MAX_DRAWS + 1}}, "20001, not in 100..20000"),
        ({"report": {"seed": -1}}, "manifest.report.seed is -1"),
        ({"seeds": list(range(MAX_SYSTEMS))}, "systems, more than 2000"),
    ],
)
def test_what_no_result_may_hold_is_refused(sections, found):
    with pytest.raises(ManifestError, match=found):
        require_names(changed(**sections))


def test_a_label_is_checked_as_tables_print_it():
    document = manifest().resolved()
    document["methods"][0]["label"] = "GA\u2009(ours)"
    with pytest.raises(ManifestError, match="a system's label is no line"):
        require_storable(Manifest.model_validate(document))


@pytest.mark.parametrize("length", [MAX_FACT, MAX_FACT + 1])
def test_a_licence_is_as_long_as_a_verifier_reads(length):
    document = manifest().resolved()
    document["sources"][0]["licence"] = "a" * length
    made = Manifest.model_validate(document)
    if length <= MAX_FACT:
        require_names(made)
    else:
        with pytest.raises(ManifestError, match=r"licence of source(.*\n)+.*at most 2000"):
            require_names(made)


@pytest.mark.parametrize("length", [MAX_FACT, MAX_FACT + 1])
@pytest.mark.parametrize("key", ["name", "licence", "repo", "folder", "checksums"])
@pytest.mark.parametrize("of_model", [False, True])
def test_so_is_every_text_of_every_source(key, of_model, length):
    document = manifest().resolved()
    source = document["model"]["source"] if of_model else document["sources"][-1]
    source[key] = ("a/" if key == "repo" else "").ljust(length, "a")
    made = Manifest.model_validate(document)
    if length <= MAX_FACT:
        require_storable(made)
    else:
        with pytest.raises(ManifestError, match=f"{key} of source"):
            require_storable(made)
