"""The artifact appendix of a paper, filled from a result, and the checklist beside it.

Its sections are those of cTuning's template (docs/template/ae.tex of ctuning/artifact-evaluation,
V20240722), which ACM conferences use. "Evaluation and expected results" has the parts Major Claims
and Experiments of EuroSys's template (EuroSys26_ArtifactAppendix_template.tex of
sysartifacts/sysartifacts.github.io). What only the authors know is left to them, by name.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from kit.exchange import facts
from kit.exchange.checklist import checklist
from kit.exchange.document import Commands, Facts, Section, Text, to_latex, to_markdown
from kit.exchange.exported import Exported
from kit.experiment.own_settings import update_of
from kit.experiment.updates import FULL, LORA
from kit.report import claims
from kit.report.pages import seconds
from kit.verification.text import not_proven

TITLE, CHECKLIST = "Artifact Appendix", "Reproducibility checklist"
FORMS = {LORA: "adapters", FULL: "full updates"}
MOST_CLAIMS = 30  # that are listed: an appendix has a page or two
REVIEWING = (
    "https://www.acm.org/publications/policies/artifact-review-and-badging-current and "
    "https://cTuning.org/ae"
)


def appendix_files(exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield the appendix and the checklist, each as Markdown and as LaTeX."""
    for name, title, made in (
        ("appendix", TITLE, appendix(exported)),
        ("checklist", CHECKLIST, checklist(exported)),
    ):
        yield f"{name}.md", to_markdown(title, made)
        yield f"{name}.tex", to_latex(title, made)


def appendix(exported: Exported) -> list[Section]:
    """Return the sections of the appendix."""
    return [
        Section("Abstract", [Text(_abstract(exported))]),
        Section("Artifact check-list (meta-information)", [Facts(_meta_information(exported))]),
        *_description(exported),
        Section("Installation", [
            Text("This builds one environment from packages that are checked against their "
                 "SHA-256, and names what this machine lacks, with remedies."),
            Commands(["./run.sh doctor MANIFEST"]),
        ]),
        Section("Experiment workflow", [
            Text("MANIFEST is the manifest of the experiment: the one whose resolved form is in "
                 f"run.json and has the SHA-256 {exported.run['manifest_digest']}."),
            Commands(["./run.sh plan MANIFEST", "./run.sh all MANIFEST"]),
        ]),
        *_evaluation(exported),
        Section("Experiment customization", [
            Text("Everything is a key of the manifest: methods and their options, seeds, targets, "
                 "the split, the base model, metrics and claims. A manifest that extends another "
                 "states only what differs. Methods, attacks, benchmarks and metrics are one file "
                 "each. manifests/README.md and kit/README.md of the program say how."),
        ]),
        Section("Notes", [
            *map(Text, exported.contents.facts["comparability"]),
            Text(" ".join(not_proven(exported.verification).split())),
        ]),
        Section("Methodology", [Text(f"Reviewing and badging: {REVIEWING}")]),
    ]  # fmt: skip


def _abstract(exported: Exported) -> str:
    named = facts.methods(exported)
    claimed = exported.contents.facts["claims"]
    return (
        f"This artifact is the signed result of the experiment “{exported.title}”, and the program "
        f"that made it. A vision-language model is fine-tuned, made to forget, and asked; the "
        f"tables compare {len(named)} methods, Vanilla and Retain-only among them. The result "
        f"holds {facts.sizes(exported)}. From its answers, every number is recomputed without a "
        f"GPU or a model. "
        + (f"It makes {len(claimed)} claims: {facts.verdicts(exported)}." if claimed
           else "Its manifest makes no claim.")
    )  # fmt: skip


def _meta_information(exported: Exported) -> list[tuple[str, str]]:
    run, manifest = exported.run, exported.run["manifest"]
    model = manifest["model"]
    base, data = (facts.sources(exported, base=flag) for flag in (True, False))
    evaluation = manifest.get("evaluation", {})
    printed = exported.contents.facts["definitions"]
    headline = {column["metric"] for column in exported.contents.facts["columns"]}
    metrics = [each["sentence"] for each in printed if each["id"] in headline]
    threads = run.get("environment", {}).get("torch_threads")
    return [
        ("Algorithm:", "; ".join(facts.methods(exported))),
        ("Program:", facts.program(exported)),
        ("Compilation:", "none; Python"),
        ("Transformations:", f"{_base_form(model.get('quantization'))} and frozen; "
         f"{_trained_form(manifest)} trained on it"),
        ("Binary:", "none but the packages, which are fixed by digest"),
        ("Model:", "; ".join(facts.source_line(each, "model") for each in base)),
        ("Data set:", "; ".join(f"{each['name']}: {facts.source_line(each, 'dataset')}"
                                for each in data)),
        ("Run-time environment:", facts.software(exported)),
        ("Hardware:", facts.hardware(exported)),
        ("Run-time state:", f"seeds of unlearning: {facts.seeds(exported)}; threads of torch: "
         f"{threads or 'not recorded'}"),
        ("Execution:", f"engine {' '.join(facts.engine_of(run))}, greedy decoding of at "
         f"most {evaluation.get('max_new_tokens', 'an unrecorded number of')} tokens"),
        ("Metrics:", " ".join(metrics)),
        ("Output:", f"{facts.sizes(exported)}; pages, tables and figures in report/"),
        ("Experiments:", "./run.sh all, verify and compare, as below"),
        ("How much disk space required (approximately)?:", facts.disk(exported)),
        ("How much time is needed to prepare workflow (approximately)?:", facts.UNRECORDED),
        ("How much time is needed to complete experiments (approximately)?:",
         facts.total_time(exported)),
        ("Publicly available?:", facts.AUTHORS),
        ("Code licenses (if publicly available)?:", "Apache-2.0 for the program"),
        ("Data licenses (if publicly available)?:",
         "; ".join(f"{each['name']}: {facts.licence(each)}" for each in [*data, *base])),
        ("Workflow automation framework used?:", "the program itself (./run.sh)"),
        ("Archived (provide DOI)?:", facts.AUTHORS),
    ]  # fmt: skip


def _base_form(quantization: object) -> str:
    kept = quantization == "none"
    return f"base model {'not quantised' if kept else f'quantised ({quantization})'}"


def _trained_form(manifest: Mapping[str, Any]) -> str:
    unlearn = manifest.get("unlearn", {})
    found = {update_of(unlearn, entry) for entry in manifest.get("methods", [])}
    found.add(update_of(manifest.get("finetune", {})))
    return " and ".join(words for kind, words in FORMS.items() if kind in found)


def _description(exported: Exported) -> list[Section]:
    base, data = (facts.sources(exported, base=flag) for flag in (True, False))
    lines = [(f"{each['name']}:", f"{facts.source_line(each, 'dataset')}; licence: "
              f"{facts.licence(each)}") for each in data]  # fmt: skip
    models = [(f"{each['name']}:", f"{facts.source_line(each, 'model')}; licence: "
               f"{facts.licence(each)}") for each in base]  # fmt: skip
    return [
        Section("Description"),
        Section("How to access", [
            Text(facts.AUTHORS),
            Facts([
                ("Program:", facts.program(exported)),
                ("Result:", exported.run_name),
                ("Signed by the key with the SHA-256:", exported.key),
            ]),
        ], 2),
        Section("Hardware dependencies", [
            Text(f"The run used {facts.hardware(exported)}. To check the result, any computer "
                 "with Python will do."),
        ], 2),
        Section("Software dependencies", [Text(facts.software(exported))], 2),
        Section("Data sets", [Facts(lines)], 2),
        Section("Models", [Facts(models)], 2),
    ]  # fmt: skip


def _evaluation(exported: Exported) -> list[Section]:
    entries = exported.contents.facts["claims"]
    listed = [_claim(claims.printed(entry)) for entry in entries[:MOST_CLAIMS]]
    more = len(entries) - len(listed)
    said = f"{more} more claims are in claims.json, and in report/claims.csv with their verdicts."
    trained = [
        f"{line['label']} {facts.jobs(line['jobs'])}, {seconds(line['seconds'])}"
        for line in exported.contents.facts["methods"]
        if line["jobs"]
    ]
    times = "; ".join(f"{stage} {time}" for stage, time in facts.stage_times(exported))
    return [
        Section("Evaluation and expected results"),
        Section("Major claims", [
            *([Facts(listed)] if listed else [Text("The manifest makes no claim.")]),
            *([Text(said)] if more else []),
        ], 2),
        Section("Experiments", [
            Facts([
                ("(E1) The whole experiment.", f"Measured: {facts.total_time(exported)}. Stages: "
                 f"{times or 'not recorded'}. Training, by method: "
                 f"{'; '.join(trained) or 'not recorded'}. It gives the evidence for all claims."),
                ("(E2) Verification.", "Signatures, digests, rows, verdicts and pages are checked "
                 "from the stored answers; a wrong one is named, and the exit code is not 0."),
                ("(E3) Comparison.", "The exit code is 0 if each claim of this result is "
                 "reproduced by one's own."),
            ]),
            Commands([
                "./run.sh all MANIFEST",
                f"./run.sh verify {exported.run_name} --trust KEY.pub",
                f"./run.sh compare results/OWN {exported.run_name}",
            ]),
        ], 2),
    ]  # fmt: skip


def _claim(printed: dict[str, str]) -> tuple[str, str]:
    value = f"measured {printed['value']} {printed['interval']}".strip()
    reason = f" ({printed['reason']})" if printed["reason"] else ""
    where = f" Stated in {printed['location']}." if printed["location"] else ""
    return (
        f"({printed['id']})",
        f"{printed['text']}{where} {printed['of']}: {printed['threshold']}; {value}. "
        f"{printed['verdict']}{reason}. Evidence: E1.",
    )
