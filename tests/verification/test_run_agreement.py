"""A trusted signer whose result contradicts the manifest in its own run.json is refused.

Each case makes everything again that follows from what it changes, so that nothing else is wrong.
"""

import json
import shutil

import pandas as pd
import pytest

from kit.digests import sha256_value
from kit.errors import VerificationError
from kit.report.metadata import write_metadata
from kit.verification.verify import verify
from tests.toys.signed_result import ANSWERS, CARD, TRUSTED, edit_json, forge, remake

NPO = "person-npo-s1"


def remade(change):
    """Change run.json and write all that follows; new systems answer as NPO does."""

    def mutate(result):
        run = json.loads((result / "run.json").read_text(encoding="utf-8"))
        change(run)
        names = [system["name"] for system in run["systems"]]
        answers = pd.read_parquet(result / ANSWERS)
        parts = [
            answers[answers["system"] == (name if name in set(answers["system"]) else NPO)]
            for name in names
        ]
        told = [part.assign(system=name) for part, name in zip(parts, names, strict=True)]
        pd.concat(told, ignore_index=True).to_parquet(result / ANSWERS, index=False)
        run["manifest_digest"] = sha256_value(run["manifest"])
        (result / "run.json").write_text(json.dumps(run), encoding="utf-8")
        remake(result)

    return mutate


def entry(run):
    return run["manifest"]["methods"][0]


def again(run, part, place, **changes):
    """Add to a list of run.json an entry like one that is there."""
    run[part].append(run[part][place] | changes)


def moved(result):
    """Sign an edited page outside the report, and no report."""
    shutil.copy(result / "report" / "report.html", result / "report.html")
    shutil.rmtree(result / "report")
    write_metadata(result)


def added(name):
    def mutate(result):
        (result / name).parent.mkdir(exist_ok=True)
        (result / name).write_text("P-Ret 100.0", encoding="utf-8")
        write_metadata(result)

    return mutate


def copied_adapter(result):
    """Add an adapter of a seed that the manifest does not have."""
    shutil.copytree(result / "adapters" / NPO, result / "adapters" / "person-npo-s9")
    write_metadata(result)


def card(**changes):
    """Change card.json and make the page that follows from it."""

    def mutate(result):
        edit_json(result / CARD, **changes)
        write_metadata(result)

    return mutate


def other_folder(result):
    """Put the card of one adapter into the folder of another."""
    shutil.copy(result / CARD, result / "adapters" / "retain_only-person" / "card.json")
    write_metadata(result)


def forgotten_and_kept(result):
    sets = pd.read_parquet(result / "sets.parquet")
    sets.loc[len(sets)] = ["person", "person", "retain", "p0"]
    sets.to_parquet(result / "sets.parquet", index=False)
    remake(result)


FILES = {
    "a page outside the report": (moved, "has no report/"),
    "a table beside the report": (added("table1.csv"), "no result has: 1\n.*\n  found: table1.csv"),
    "a page beside a card": (added(f"adapters/{NPO}/RESULTS.md"), "found: adapters/.*/RESULTS.md"),
    "a file beside the answers": (added("answers/more.parquet"), "found: answers/more.parquet"),
    "an adapter of another seed": (copied_adapter, "found: adapters/person-npo-s9/"),
}
SYSTEMS = {
    "a seed left out": (remade(lambda run: run["manifest"].update(seeds=[2, 1])),
                        "person-npo-s2 is missing"),
    "other seeds": (remade(lambda run: run["manifest"].update(seeds=[2])),
                    "person-npo-s2 is missing\n    person-npo-s1 is none of the manifest's"),
    "a method left out": (
        remade(lambda run: run["manifest"]["methods"].append(
            {**entry(run), "name": "siu", "label": "SIU", "method": "siu"})),
        "the systems of run.json(.|\n)*person-siu-s1 is missing"),
    "a target left out": (
        remade(lambda run: run["manifest"].update(targets=["person", "event"])),
        "retain_only-event is missing"),
    "an upper bound left out": (remade(lambda run: run["systems"].pop()),
                                "retain_only-person is missing"),
    "a system more": (remade(lambda run: again(run, "systems", 1, name="person-npo-s7", seed=7)),
                      "person-npo-s7 is none of the manifest's"),
    "another label": (remade(lambda run: run["systems"][1].update(label="Ours")),
                      "person-npo-s1: label is 'Ours', not 'NPO'"),
    "another method": (remade(lambda run: run["systems"][1].update(method="dpo")),
                       "person-npo-s1: method is 'dpo', not 'npo'"),
    "a seed for the upper bound": (remade(lambda run: run["systems"][2].update(seed=3)),
                                   "retain_only-person: seed is 3, not None"),
    "something more of a system": (remade(lambda run: run["systems"][1].update(note="best")),
                                   "person-npo-s1: note is 'best', not None"),
    "another order": (remade(lambda run: run["systems"].reverse()), "the same in another order"),
    "seeds twice": (remade(lambda run: run["manifest"].update(seeds=[1, 1])),
                    "manifest.seeds has 1 twice"),
    "methods twice": (remade(lambda run: run["manifest"]["methods"].append(entry(run))),
                      "manifest.methods.name has npo twice"),
    "an unknown target": (remade(lambda run: run["manifest"].update(targets=["person", "mind"])),
                          "the benchmark has no 'mind'"),
    "no seeds": (remade(lambda run: run["manifest"].update(seeds=[])), "manifest.seeds: "),
    "seeds that are no numbers": (remade(lambda run: run["manifest"].update(seeds=[True])),
                                  "manifest.seeds.0: "),
    "endless seeds": (remade(lambda run: run["manifest"].update(seeds=list(range(20_000)))),
                      "more than 2000 systems"),
}  # fmt: skip
REST = {
    "a source left out": (remade(lambda run: run["sources"].pop(0)),
                          "the sources of run.json(.|\n)*tiny is missing"),
    "a source more": (remade(lambda run: again(run, "sources", 0, name="more")),
                      "more is none of the manifest's"),
    "a source twice": (remade(lambda run: again(run, "sources", 0)), "tiny is listed 2 times"),
    "a job left out": (remade(lambda run: run["jobs"].pop(0)),
                       "the jobs of run.json(.|\n)*vanilla is missing"),
    "a job twice": (remade(lambda run: again(run, "jobs", 2, seconds=0.1)),
                    "person-npo-s1 is listed 2 times"),
    "a job more": (remade(lambda run: again(run, "jobs", 2, name="person-npo-s9")),
                   "person-npo-s9 is none of the manifest's"),
    "another stage of a job": (remade(lambda run: run["jobs"][0].update(stage="unlearn")),
                               "vanilla: stage is 'unlearn', not 'finetune'"),
    "other steps in a card": (card(steps=60), "card.json says something(.|\n)*steps is 60, not 30"),
    "another type in a card": (card(steps=30.0), "steps is 30.0, not 30"),
    "never stopped in a card": (card(stopped=None), "stopped is None, not 'forget loss above"),
    "another digest in a card": (card(digest="ab" * 32), "digest is 'abab.*, not 'cdcd"),
    "another cost in a run": (
        remade(lambda run: run["jobs"][2].update(needs={"forget": True, "training": True})),
        "needs is "),
    "the card of another": (other_folder, "retain_only-person(.|\n)*name is 'person-npo-s1', not"),
    "one draw": (remade(lambda run: run["manifest"]["report"].update(bootstrap_draws=1)),
                 "bootstrap_draws is 1, not in 100..20000"),
    "a draw too few": (remade(lambda run: run["manifest"]["report"].update(bootstrap_draws=99)),
                       "bootstrap_draws is 99, not in 100..20000"),
    "forgotten and kept": (forgotten_and_kept,
                           r"1 records on both sides(.|\n)*p0 \(target person, part person\)"),
}  # fmt: skip
CASES = FILES | SYSTEMS | REST


def test_a_result_that_is_made_again_is_still_good(damaged):
    remade(lambda run: None)(damaged)
    forge(damaged)
    assert verify(damaged, trusted=TRUSTED).systems == ("person-npo-s1", "retain_only-person",
                                                        "vanilla")  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_result_that_contradicts_its_manifest_is_refused_although_all_numbers_follow(
    damaged, name
):
    mutate, reason = CASES[name]
    mutate(damaged)
    forge(damaged)
    with pytest.raises(VerificationError, match=reason) as caught:
        verify(damaged, trusted=TRUSTED)
    assert caught.value.remedy, "says what to do"


@pytest.mark.parametrize("name", FILES | SYSTEMS)
def test_the_policy_integrity_takes_the_signers_word_for_it(damaged, name):
    CASES[name][0](damaged)
    forge(damaged)
    assert verify(damaged, trusted=TRUSTED, policy="integrity").files > 0
