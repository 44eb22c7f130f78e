"""The artifact appendix and the checklist: filled from the result, and safe to typeset."""

import json
import re
import shutil
import subprocess

import pytest

from kit.exchange.appendix import MOST_CLAIMS, appendix, appendix_files
from kit.exchange.checklist import NO, OPEN, YES, checklist
from kit.exchange.document import Commands, Facts, Section, Text, latex, to_latex, to_markdown
from tests.exchange.conftest import BIDI, LONG, SPECIALS

# The fields of cTuning's template V20240722, in its order.
FIELDS = """Algorithm|Program|Compilation|Transformations|Binary|Model|Data set
Run-time environment|Hardware|Run-time state|Execution|Metrics|Output|Experiments
How much disk space required (approximately)?
How much time is needed to prepare workflow (approximately)?
How much time is needed to complete experiments (approximately)?
Publicly available?|Code licenses (if publicly available)?
Data licenses (if publicly available)?|Workflow automation framework used?
Archived (provide DOI)?"""
SECTIONS = """Abstract|Artifact check-list (meta-information)|Description|How to access
Hardware dependencies|Software dependencies|Data sets|Models|Installation|Experiment workflow
Evaluation and expected results|Major claims|Experiments|Experiment customization|Notes
Methodology"""
COMMAND = re.compile(
    r"\\(?:section|subsection|subsubsection|textbf|texttt|begin|end|item|raggedright|allowbreak"
    r"|textbackslash|textasciicircum|textasciitilde|textless|textgreater|textbar|char34|char96"
    r"|dots|begingroup|sloppy|endgroup)(?![A-Za-z])|\\[{}$&#%_\\]"
)
PDFLATEX = shutil.which("pdflatex")


@pytest.fixture(params=["plain", "hostile"])
def files(request):
    return dict(appendix_files(request.getfixturevalue(request.param)))


def facts_of(sections, title):
    (section,) = (each for each in sections if each.title == title)
    return {k: v for block in section.blocks if isinstance(block, Facts) for k, v in block.facts}


def test_it_has_the_sections_and_fields_of_the_templates(plain):
    made = appendix(plain)
    assert [each.title for each in made] == re.split(r"[|\n]", SECTIONS)
    fields = facts_of(made, "Artifact check-list (meta-information)")
    assert [name.rstrip(":") for name in fields] == re.split(r"[|\n]", FIELDS)
    assert all(fields.values())


def test_what_the_result_says_is_in_it(plain):
    made = appendix(plain)
    run = plain.run
    fields = facts_of(made, "Artifact check-list (meta-information)")
    assert fields["Algorithm:"] == "Vanilla; NPO; Retain-only", "labels have commas"
    assert "12 answers" in fields["Output:"]
    assert run["sources"][0]["list_digest"] in fields["Data set:"]
    assert "revision c0c0" in fields["Model:"]
    experiments = facts_of(made, "Experiments")["(E1) The whole experiment."]
    for job in run["jobs"]:
        assert f"{job['seconds']:.1f} s" in experiments, "the measured costs"
    assert run["manifest_digest"] in to_markdown("", made).decode()


def test_the_command_that_installs_is_one_that_needs_the_environment(plain):
    (section,) = (each for each in appendix(plain) if each.title == "Installation")
    (commands,) = (block.lines for block in section.blocks if isinstance(block, Commands))
    verbs = [line.split()[1] for line in commands]
    assert verbs == ["doctor"], "help, completion and clean build nothing"


def test_each_claim_has_its_value_and_verdict(plain):
    said = facts_of(appendix(plain), "Major claims")
    claims = json.loads((plain.folder / "claims.json").read_text())["claims"]
    assert len(claims) <= MOST_CLAIMS
    assert list(said) == [f"({claim['id']})" for claim in claims]
    for claim in claims:
        text = said[f"({claim['id']})"]
        assert claim["text"] in text
        assert claim["verdict"] in text
        if claim["value"] is not None:
            assert f"{100 * claim['value']:.1f}" in text


def test_the_checklist_answers_each_topic_and_leaves_the_rest_to_the_authors(plain):
    answers = {s.title: dict(s.blocks[0].facts)["Answer:"] for s in checklist(plain)}
    assert len(answers) == 16
    assert answers["Claims"].startswith(YES)
    assert "2 INCONCLUSIVE, 1 NOT_REPRODUCED, 1 SKIPPED" in answers["Claims"]
    assert answers["Compute resources"].startswith(NO), "the toy records no stages"
    assert "time of the stages" in answers["Compute resources"]
    assert answers["Licences for existing assets"].startswith(NO)
    assert answers["Broader impacts"].startswith(OPEN)
    assert "One seed was run" in answers["Statistical significance"]


def test_equal_bytes_twice(plain):
    assert dict(appendix_files(plain)) == dict(appendix_files(plain))


def test_latex_has_balanced_groups_and_no_command_but_the_document_s(files):
    for name in ("appendix.tex", "checklist.tex"):
        text = "\n".join(
            line for line in files[name].decode().splitlines() if not line.startswith("% ")
        )
        begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
        assert begun == ended, "no list is in another"
        left = COMMAND.sub("", text)
        assert "\\" not in left
        assert not set('$&#%_^~<>|"') & set(left)
        bare = re.sub(r"\\[{}]", "", text.replace("\\\\", ""))
        assert bare.count("{") == bare.count("}")


@pytest.mark.skipif(PDFLATEX is None, reason="pdflatex is not here")
def test_latex_sets_it_and_no_line_leaves_the_page(files, tmp_path):
    names = [name for name in files if name.endswith(".tex")]
    for name in names:
        (tmp_path / name).write_bytes(files[name])
    text = r"\documentclass{article}\usepackage[T1]{fontenc}\begin{document}"
    text += "".join(rf"\input{{{name}}}" for name in names) + r"\end{document}"
    (tmp_path / "all.tex").write_text(text)
    done = subprocess.run(
        [str(PDFLATEX), "-draftmode", "-halt-on-error", "-interaction=nonstopmode", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.findall("Overfull.*", done.stdout)


def test_every_special_character_is_printed_as_itself():
    assert latex("50 % of $x_1$ & #{~}") == (
        r"50 \% of \$x\_\allowbreak{}1\$ \& \#\{\textasciitilde{}\}"
    )
    assert latex(r"\input{x}") == r"\textbackslash{}input\{x\}"
    assert latex("a--b ''") == "a-{}-b '{}'"
    assert latex("Łódź 👤") == "Łódź [U+1F464]"
    assert latex("a\n\n%\\b") == r"a \%\textbackslash{}b", "one line: no comment hides what follows"


def test_a_digest_may_end_a_line():
    assert latex("ab" * 32) == r"\allowbreak{}".join(["ab" * 8] * 4)
    assert latex("x" * 30) == "x" * 30


def test_no_text_acts_in_markdown_or_shows_in_another_order(files):
    for name in ("appendix.md", "checklist.md"):
        text = files[name].decode()
        assert "<script" not in text.replace("\\<", "")
        assert not set("\u202e\u2066\u200b") & set(text)
    assert not set("\u202e\u2066\u200b") & set(files["appendix.tex"].decode())


def test_commands_cannot_leave_their_block():
    section = Section("x", [Commands([f"run ```\n{SPECIALS}"]), Text(LONG), Text(BIDI)])
    text = to_markdown("t", [section]).decode()
    assert text.count("```") == 2
    assert to_latex("t", [section]).count(b"\n\\texttt") == 1
