"""What earlier jobs took: lines that are kept, and estimates worked out by hand from them."""

import os
from dataclasses import replace

import pytest

from kit import console
from kit.cli.plan_estimate import render_estimates
from kit.errors import MissingStageError
from kit.experiment.manifest_file import load_manifest
from kit.plan.jobs import make_plan
from kit.stages import history as module
from kit.stages.expected import Expectations, forecast
from kit.stages.history import History, JobTime, Keys, Stopwatch, add, history_path, read_history
from kit.stages.pace import Pace, jobs_of
from kit.stages.progress import progress
from tests.bench import estimates
from tests.toys.dataset import TOY
from tests.toys.work import check, make


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(console.MODE, raising=False)


@pytest.fixture
def plan():
    return make_plan(load_manifest(TOY))


def line(plan, stage, kind, work, seconds, **more):
    return JobTime(
        key=Keys(plan.manifest).of(stage, kind), stage=stage, kind=kind,
        work=work, seconds=seconds, **more,
    )  # fmt: skip


def pieces(plan, stage, kind):
    return [each for each in jobs_of(plan) if (each.stage, each.kind) == (stage, kind)]


def test_training_takes_its_start_and_the_share_of_the_busiest_worker(plan):
    """Four fine-tunings of 200 x 32 passes by two workers, at 20 s for 1,000 passes."""
    add([
        line(plan, "finetune", "train", 1000, 15, of="retain_finetune", start=12.0),
        line(plan, "finetune", "train", 1000, 25, of="retain_finetune"),
        line(plan, "finetune", "train", 500, 10, of="retain_finetune", start=8.0),
    ])  # fmt: skip
    found = forecast(plan)
    assert found.seconds == {"finetune": pytest.approx(10 + 2 * 6400 * 0.02)}
    assert ("evaluate", "answers") in found.unknown
    assert found.jobs == 3


def test_jobs_of_the_same_method_come_first(plan):
    lines = [
        line(plan, "unlearn", "train", 100, 1, of="grad_diff", start=0.0),
        *(line(plan, "unlearn", "train", 100, 9, of="npo") for _ in range(20)),
        *(line(plan, "unlearn", "train", 100, 5, of="npo") for _ in range(5)),
    ]
    expected = Expectations(plan.manifest, History(tuple(lines)))
    every = {each.name: each for each in pieces(plan, "unlearn", "train")}
    npo, gd, dpo = (every[f"person-{name}-s1"] for name in ("npo", "gd", "dpo"))
    assert npo.work == gd.work == 60 * 16 * 2
    assert expected.seconds([npo]) == pytest.approx(npo.work * 0.05), "the newest five"
    assert expected.seconds([gd]) == pytest.approx(gd.work * 0.01)
    whole = (1 + 20 * 9 + 5 * 5) / 2600  # of all methods, where this one was never run
    assert expected.seconds([dpo]) == pytest.approx(dpo.work * whole)


def test_answers_take_their_start_once(plan):
    """The first answers came after 40 s, of which 10 were their own; then 1 s for 10 questions."""
    lines = [
        line(plan, "evaluate", "answers", 100, 0, start=40.0),
        line(plan, "evaluate", "answers", 300, 30),
        line(plan, "evaluate", "answers", 50, 5),
    ]
    expected = Expectations(plan.manifest, History(tuple(lines)))
    every = pieces(plan, "evaluate", "answers")
    asked = sum(each.work for each in every)
    assert expected.seconds(every) == pytest.approx(30 + asked / 10)
    alone = Expectations(plan.manifest, History(tuple(lines[:1])))
    assert alone.seconds(every) == pytest.approx(asked * 0.4), "one job shows no start"


def test_other_machines_bases_and_batches_tell_nothing(plan, monkeypatch):
    add([line(plan, "finetune", "train", 6400, 64, start=0.0)])
    assert forecast(plan).seconds["finetune"] == 128
    settings = plan.manifest.finetune
    for changed, known in (({"steps": 100}, 64), ({"batch_size": 16}, None), ({"rank": 8}, None)):
        section = settings.model_copy(update=changed)
        other = replace(plan, manifest=plan.manifest.model_copy(update={"finetune": section}))
        jobs = tuple(replace(job, settings=section) for job in plan.finetune)
        assert forecast(replace(other, finetune=jobs)).seconds.get("finetune") == known, changed
    monkeypatch.setattr(module, "device_name", lambda: "another device")
    assert forecast(plan).seconds == {}


def test_the_plan_prints_what_is_known_and_names_what_is_not(plan):
    before = "\n".join(render_estimates(plan))
    assert "there is no earlier job" in before
    assert "plan MANIFEST --probe` measures it" in before
    add([line(plan, "finetune", "train", 6400, 60, start=30.0)])
    text = "\n".join(render_estimates(plan, 36.0))
    assert "from 1 earlier jobs on" not in text
    assert "from 1 earlier job on" in text
    assert "  finetune  150 s\n  total     150 s, cost 1.50\n" in text
    assert "no earlier job did this: training (unlearn), answers (evaluate)" in text
    assert "plan MANIFEST --probe` measures it" in text


@pytest.mark.parametrize(
    "content", [b"\x00\xff\n", b'{"key": 3}\n', b"[]\n", b'{"seconds": NaN}\n']
)
def test_a_broken_line_is_left_out_and_said(plan, content):
    add([line(plan, "finetune", "train", 6400, 60, start=30.0)])
    history_path().write_bytes(content + history_path().read_bytes() + b'{"key": "cut o')
    assert len(read_history().lines) == 1
    text = "\n".join(render_estimates(plan))
    assert "job-times.jsonl: 2 of its lines are no times of jobs and were left out." in text
    assert "  finetune  150 s" in text


def test_a_file_that_is_not_the_kits_is_left_alone_and_said(plan, monkeypatch):
    history_path().mkdir(parents=True)
    add([line(plan, "finetune", "train", 6400, 60)])
    assert history_path().is_dir()
    assert "job-times.jsonl cannot be used (Is a directory)" in "\n".join(render_estimates(plan))
    history_path().rmdir()
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    history_path().write_text("x" * 101)
    add([line(plan, "finetune", "train", 6400, 60)])
    assert history_path().read_text() == "x" * 101
    assert "too large to be the kit's" in "\n".join(render_estimates(plan))


def test_the_newest_lines_are_kept(plan, monkeypatch):
    monkeypatch.setattr(module, "MOST_LINES", 3)
    for seconds in range(5):
        add([line(plan, "finetune", "train", 1, seconds)])
    assert [each.seconds for each in read_history().lines] == [2, 3, 4]
    longest = JobTime(
        key="k" * 16, stage="s" * 20, kind="k" * 20, of="o" * 60,
        work=0.1 + 1e9, seconds=0.1 + 1e9, start=0.1 + 1e9,
    )  # fmt: skip
    size = len(longest.model_dump_json(exclude_defaults=True)) + 20  # spaces of json.dumps
    assert 2000 * size <= 2_000_000, "a file of such lines is read again"


def finish(artifact, moment, **record):
    make(artifact, **record)
    os.utime(artifact.path / "job.json", (moment, moment))


def test_a_job_leaves_what_it_took_with_the_start_apart(plan, monkeypatch):
    monkeypatch.setattr(module.time, "time", lambda: 1000.0)
    watch = Stopwatch(plan.manifest)
    watch.begin()
    first, second = pieces(plan, "finetune", "train")[:2]
    finish(first.made[0], 1080.0, seconds=70.0, steps=200)
    finish(second.made[0], 1090.0, seconds=75.0, steps=50)
    watch.add([second, first])  # in whatever order they are seen
    one, two = read_history().lines
    assert (one.seconds, one.start, one.work) == (70, 10, 6400)
    assert (two.seconds, two.start, two.work) == (75, None, 1600), "a quarter of the steps"
    watch.begin()
    answered = pieces(plan, "evaluate", "answers")[:2]
    for piece, moment in zip(answered, (1030.0, 1042.0), strict=True):
        for artifact in piece.made:
            finish(artifact, moment)
    watch.add(answered)
    one, two = read_history().lines[2:]
    assert (one.seconds, one.start) == (0, 30)
    assert (two.seconds, two.start) == (12, None)


def test_history_decides_no_digest_and_a_cluster_leaves_none(plan):
    digests = [job.artifact.digest for job in plan.jobs()]
    for local, lines in ((False, 0), (True, 1)):
        with progress(("finetune",)) as shown:
            shown.expect(plan, local=local)
            shown.begin("finetune")
            make(plan.finetune[local].artifact, seconds=3.0, steps=200)
        assert len(read_history().lines) == lines
    assert [job.artifact.digest for job in make_plan(plan.manifest).jobs()] == digests


def test_the_time_left_of_a_run_begins_with_what_is_known(plan):
    known = [line(plan, "evaluate", "answers", 100, 0, start=10.0),
             line(plan, "evaluate", "answers", 100, 10)]  # fmt: skip
    expected = Expectations(plan.manifest, History(tuple(known)))
    every = pieces(plan, "evaluate", "answers")
    pace = Pace(every, expected.seconds)
    pace.begin(0.0)
    asked = sum(each.work for each in every)
    assert pace.left(5.0) == (pytest.approx(asked / 10 - 5), [])
    make(plan.systems[0].answers)
    check(plan.systems[0])
    pace.look("evaluate", 2.0 * every[0].work)
    left = asked - every[0].work
    assert pace.left(2.0 * every[0].work) == (pytest.approx(2.0 * left), []), "its own pace"


def test_the_later_jobs_of_a_finished_run_are_estimated_from_the_earlier_ones(plan):
    """Two fine-tunings at 20 ms for a pass are history; a third stops half way and is slower."""
    for moment, (piece, seconds, steps) in enumerate(
        zip(
            pieces(plan, "finetune", "train"),
            (128, 128, 80, 100),
            (200, 200, 100, 200),
            strict=True,
        )
    ):
        finish(piece.made[0], 1000.0 + moment, seconds=float(seconds), steps=steps)
    (kind,) = estimates.kinds(plan, 0.5)
    assert kind.history == 2
    assert kind.seconds == (pytest.approx((64, 80)), pytest.approx((128, 100)))
    assert kind.row() == "| finetune: train | 2 | 2 | 192 s | 180 s | 1.07 | 24% | 100% |"


def test_answers_are_timed_from_the_job_before(plan):
    """Two systems answer after the first, 10 s each; the next takes 5 s."""
    answered = pieces(plan, "evaluate", "answers")[:4]
    for piece, moment in zip(answered, (500.0, 510.0, 520.0, 525.0), strict=True):
        for artifact in piece.made:
            finish(artifact, moment)
    (kind,) = estimates.kinds(plan, 0.7)
    assert kind.history == 2, "the first answers begin the clock"
    asked = answered[1].work + answered[2].work
    assert kind.seconds == (pytest.approx((answered[3].work * 20 / asked, 5)),)


def test_a_run_that_has_not_begun_tells_nothing(plan):
    with pytest.raises(MissingStageError, match="nothing of toy is finished"):
        list(estimates.kinds(plan, 0.5))
