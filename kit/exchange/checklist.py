"""A reproducibility checklist, answered from a result: each answer says where it can be looked up.

The topics are those of the NeurIPS paper checklist (https://neurips.cc/public/guides/PaperChecklist);
the questions are in the kit's own words and are about the result, not about a paper. What a result
cannot answer is left to the authors.
"""

from collections.abc import Iterator

from kit.exchange import facts
from kit.exchange.document import Facts, Section
from kit.exchange.exported import Exported

YES, NO, NOT_APPLICABLE, OPEN = "Yes.", "No.", "Not applicable.", "To be answered by the authors."
Answer = tuple[str, str]  # what, and where it is or why


def checklist(exported: Exported) -> list[Section]:
    """Return one section for each topic: the question, the answer and where it is."""
    return [
        Section(title, [Facts([("Question:", question), ("Answer:", f"{answer} {where}")])])
        for title, question, (answer, where) in _topics(exported)
    ]


def _topics(exported: Exported) -> Iterator[tuple[str, str, Answer]]:
    yield "Claims", "Is each claim stated, with what decides it?", _claims(exported)
    yield (
        "Limitations",
        "Is it said what the numbers do not show?",
        (
            YES,
            "The report says it under comparability; verify prints what it does not prove.",
        ),
    )
    yield (
        "Theory",
        "Are assumptions and proofs complete?",
        (NOT_APPLICABLE, "The result is an experiment."),
    )
    yield (
        "Experimental result reproducibility",
        "Is everything there to make the result again?",
        (
            YES,
            f"{facts.program(exported)}; the resolved manifest in run.json, SHA-256 "
            f"{exported.run['manifest_digest']}; seeds of unlearning: {facts.seeds(exported)}.",
        ),
    )
    yield "Open access to data and code", "Can others get the data and the code?", _access(exported)
    yield (
        "Experimental setting",
        "Are split, hyper-parameters and their choice stated?",
        (YES, f"The manifest in run.json states split and hyper-parameters. {_choice(exported)}"),
    )
    yield "Statistical significance", "Is uncertainty reported, and its source?", _error(exported)
    yield (
        "Compute resources",
        "Are machine, time and memory of each part stated?",
        _compute(exported),
    )
    yield "Code of ethics", "Does the research conform to the venue's code of ethics?", (OPEN, "")
    yield "Broader impacts", "Are positive and negative impacts discussed?", (OPEN, "")
    yield "Safeguards", "Is what could be misused released with care?", _safeguards(exported)
    yield (
        "Licences for existing assets",
        "Is the licence of each asset stated?",
        _licences(exported),
    )
    yield (
        "New assets",
        "Are new assets documented?",
        (
            YES,
            "Each adapter has a model card, the packages are an SBOM (environment.cdx.json), and "
            "all files are described and listed with digests in ro-crate-metadata.json.",
        ),
    )
    yield (
        "Crowdsourcing and human subjects",
        "Are people who took part described and paid?",
        (
            NOT_APPLICABLE,
            "No person answered or judged anything; metrics are computed from answers.",
        ),
    )
    yield (
        "Approval of research with human subjects",
        "Was it reviewed?",
        (NOT_APPLICABLE, "As above."),
    )
    yield "Use of language models", "Is their use as a part of the method stated?", (
        YES, "The evaluated models are the subject of the result. No language model judges an "
        "answer. Any other use is the authors' to state.")  # fmt: skip


def _claims(exported: Exported) -> Answer:
    number = len(exported.contents.facts["claims"])
    if not number:
        return NO, "The manifest makes no claim."
    return YES, f"{number} claims with thresholds in claims.json: {facts.verdicts(exported)}."


def _access(exported: Exported) -> Answer:
    lacking = [
        str(source["name"])
        for source in exported.run["manifest"]["sources"]
        if not (source.get("repo") or source.get("embedded") or source.get("mirrors"))
    ]
    if lacking:
        return NO, f"No public address is stated for: {', '.join(lacking)}."
    where = [facts.source_line(each, "dataset") for each in facts.sources(exported, base=False)]
    return YES, f"Data: {'; '.join(where)}. Where program and result are is the authors' to state."


def _choice(exported: Exported) -> str:
    if "tuning" in exported.contents.facts:
        return "They were tuned with one budget for all methods; the report lists every attempt."
    return "It does not state how they were chosen."


def _error(exported: Exported) -> Answer:
    seeds = facts.seeds(exported)
    several = "," in seeds
    over = (
        "Tables also show the lowest and the highest value of the seeds."
        if several
        else "One seed was run, so variation between training runs is not covered."
    )
    return YES, (
        "95 % intervals over people or events (rows.parquet, the report), 90 % intervals for "
        f"verdicts (claims.json). {over}"
    )


def _compute(exported: Exported) -> Answer:
    found = exported.contents.facts
    lacking = []
    if not any(each.get("seconds") is not None for each in found["stages"]):
        lacking.append("time of the stages")
    if any(line["jobs"] and line["seconds"] is None for line in found["methods"]):
        lacking.append("time of each method")
    if any(line["jobs"] and line["peak_memory_bytes"] is None for line in found["methods"]):
        lacking.append("GPU memory of each method")
    said = f"{facts.hardware(exported)}; all stages: {facts.total_time(exported)}; costs of each "
    said += "method in the report."
    return (NO, f"Not recorded: {', '.join(lacking)}. {said}") if lacking else (YES, said)


def _safeguards(exported: Exported) -> Answer:
    kept = sorted({n.split("/")[1] for n in exported.digests if n.startswith("adapters/")})
    if not kept:
        return YES, "The result holds no weights."
    return OPEN, (
        f"The result holds {len(kept)} adapters. Those named vanilla and retain_only know people "
        "by name, and an unlearned one may still."
    )


def _licences(exported: Exported) -> Answer:
    every = [*facts.sources(exported, base=False), *facts.sources(exported, base=True)]
    said = "; ".join(f"{each['name']}: {facts.licence(each)}" for each in every)
    return (YES if all(each.get("licence") for each in every) else NO), f"{said}."
