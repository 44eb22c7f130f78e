"""No host, user, home, token or secret of the machine reaches a result: planted and sought."""

import base64
import getpass
import json
import platform
import socket
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kit import __version__
from kit.artifacts import PROJECT
from kit.benchmarks import load
from kit.benchmarks.left_out import LeftOut
from kit.errors import StorageError
from kit.experiment.disclosure import OUTSIDE, public_address, public_path
from kit.experiment.manifest import Manifest
from kit.fetch.hub import addresses
from kit.plan.jobs import make_plan
from kit.report.renderer import renderer_digest
from kit.result.layout import ANSWERS, BILL, CRATE, LIKELIHOODS, RUN
from kit.result.made_by import Kit, kit_of
from kit.result.run_file import read_run
from kit.result.stored import read_result
from kit.result.tables import SCHEMAS
from kit.signing.sign import sign
from kit.sources.places import place, record_origin
from kit.stages.attempts import attempt
from kit.stages.collect import collect, require_room
from kit.stages.costs import timed
from kit.stages.record_tables import records_frame
from kit.supply_chain.machine import source_revision
from kit.verdicts.judging import RULE
from kit.verification.verify import verify
from tests.toys.adapter import write_adapter
from tests.toys.canaries import MARK, PROXIES, SECRETS, leaks
from tests.toys.dataset import manifest, write_dataset
from tests.toys.signed_result import KEY, TRUSTED
from tests.toys.work import make

MIRROR = f"https://{MARK}user:{MARK}pass@mirror.example.org:8443/pebench?sig={MARK}sig#{MARK}"


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Plant canaries wherever a program can learn of its machine; return the home folder."""
    home = tmp_path / f"{MARK}home"
    home.mkdir()
    for name in SECRETS:
        monkeypatch.setenv(name, f"{MARK}-{name}")
    for name in (*PROXIES, "HF_ENDPOINT"):
        monkeypatch.setenv(name, f"https://{MARK}user:{MARK}pass@proxy.example.org:3128")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("PEBENCH_CACHE", str(home / "cache"))
    monkeypatch.setenv("PEBENCH_RESULTS", str(home / "results"))
    for module, name in ((socket, "gethostname"), (socket, "getfqdn"), (platform, "node")):
        monkeypatch.setattr(module, name, lambda *_: f"{MARK}host.example.org")
    monkeypatch.setattr(getpass, "getuser", lambda: f"{MARK}user")
    return home


def experiment(home: Path) -> Manifest:
    """A manifest in a home folder: its data lie there, its model comes from a private mirror."""
    data = write_dataset(home / "data")
    for image in (*data.rglob("*.png"), *data.rglob("*.jpg")):
        Image.new("RGB", (8, 8)).save(image)
    listed = home / "toy.sha256"
    names = (path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file())
    listed.write_text("".join(f"{'0' * 64}  {name}\n" for name in sorted(names)), encoding="utf-8")
    source = {"name": "pebench", "folder": str(data), "checksums": str(listed)}
    base = {"name": "base", "mirrors": [MIRROR], "checksums": str(listed)}
    whole = manifest(benchmark={"loader": "pebench"}).resolved()
    whole["sources"], whole["model"]["source"] = [source], base
    npo = next(entry for entry in whole["methods"] if entry["name"] == "npo")
    whole |= {
        "targets": ["person"],
        "methods": [npo | {"targets": ["person"]}],
        "claims": [],
        "attack": None,
    }
    whole["report"] |= {"bootstrap_draws": 100, "images": True}
    return Manifest.model_validate(whole)


def pretend(plan) -> None:
    """Write what the stages leave behind: adapters, answers, costs, guards, the log of attempts."""
    there = {source.name: place(source) for source in plan.manifest.all_sources()}
    records = records_frame(load(plan.manifest, there), there)["id"]
    modules = plan.manifest.model.lora_modules
    for number, job in enumerate(plan.jobs()):
        write_adapter(
            job.artifact.partial, seed=number, steps=job.settings.steps, modules=modules,
            rank=job.settings.rank, alpha=job.settings.alpha,
        )  # fmt: skip
        told = {"stage": job.stage, "seed": job.seed, "target": job.target}
        told["needs"] = asdict(job.method.needs)
        job.artifact.publish({**told, "steps": job.settings.steps, "seconds": 1.0, "stopped": None})
    for system in plan.systems:
        texts = {"record_id": records, "system": system.name, "text": "yes", "tokens": 1}
        answers = pa.Table.from_pandas(
            pd.DataFrame({**texts, "stop": "eos"}), schema=SCHEMAS[ANSWERS], preserve_index=False
        )
        publish_table(system.answers, answers, ANSWERS)
        # As the manifest asks: its limit, and 40 of the system's answers.
        make(system.agreement, answers=40, tokens=120, largest_nats=0.002, limit_nats=0.01)
        if system.likelihoods:
            publish_table(system.likelihoods, SCHEMAS[LIKELIHOODS].empty_table(), LIKELIHOODS)
    with timed(plan, "evaluate") as cost:
        cost.jobs = 1
    with pytest.raises(OSError, match=MARK), attempt(plan.manifest, "all"):
        raise OSError(2, "gone", f"/home/{MARK}user/secret")


def publish_table(artifact, table, name) -> None:
    artifact.partial.mkdir(parents=True)
    pq.write_table(table, artifact.partial / Path(name).name)
    artifact.publish({"canary": 0.5, "engine": {"engine": "vllm"}})


@pytest.fixture
def plan(planted):
    return make_plan(experiment(planted))


@pytest.fixture
def result(plan):
    return collected(plan)


def collected(plan):
    """Return the signed result of an experiment whose stages only pretended."""
    for source in plan.manifest.all_sources():
        place(source).path.mkdir(parents=True, exist_ok=True)
        hosts = {address.host: 3 for address in addresses(source, "PEBench.csv")}
        record_origin(source, hosts, None)
    pretend(plan)
    folder, _ = collect(plan)
    sign(folder, key=KEY)
    return folder


def test_a_result_states_the_kit_that_made_it(result):
    run = read_run((result / RUN).read_bytes())
    assert kit_of(run) == Kit(__version__, source_revision(), renderer_digest())
    assert read_result(result).verdicts.rule == RULE


def test_a_result_that_another_key_signed_is_never_replaced(result, plan, monkeypatch):
    before = {path: path.read_bytes() for path in result.rglob("*") if path.is_file()}
    monkeypatch.setattr("kit.stages.collect._made_of", lambda folder, inputs: False)
    for write in (collect, require_room):
        with pytest.raises(StorageError, match="is not replaced"):
            write(plan)
    assert {path: path.read_bytes() for path in result.rglob("*") if path.is_file()} == before


def test_nothing_of_the_machine_reaches_a_signed_result(result, tmp_path):
    assert leaks(result, [MARK, str(tmp_path), str(Path.home()), str(PROJECT)]) == []
    assert len(list(result.rglob("*.parquet"))) == 6
    assert (result / CRATE).is_file()
    assert (result / BILL).is_file()
    assert list(result.glob("adapters/*/README.md"))
    verify(result, trusted=TRUSTED)


def test_the_search_finds_what_is_hidden_in_every_format(result):
    pd.DataFrame({"a": [MARK]}).to_parquet(result / "hidden.parquet")
    (result / "page.html").write_text(f"<!-- {MARK.upper()} -->", encoding="utf-8")
    coded = base64.b64encode(f"xx {MARK}".encode()).decode()
    (result / "envelope.json").write_text(json.dumps({"payload": coded}), encoding="utf-8")
    found = {line.partition(":")[0] for line in leaks(result, [MARK])}
    assert found == {"hidden.parquet", "page.html", "envelope.json"}


def test_what_remains_of_private_places_says_that_they_were_private(result):
    run = json.loads((result / "run.json").read_bytes())
    (source,) = run["manifest"]["sources"]
    assert (source["folder"], source["checksums"]) == (OUTSIDE, OUTSIDE)
    assert run["sources"][0]["origin"] == "a folder of the user"
    public = "https://mirror.example.org:8443/pebench"
    assert run["manifest"]["model"]["source"]["mirrors"] == [public]
    assert run["sources"][1]["hosts"] == {public: 3}


def test_a_published_manifest_has_the_digest_of_the_private_one(planted):
    private = experiment(planted)
    assert Manifest.model_validate(private.resolved()).digest() == private.digest()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hub.example/a", "https://hub.example/a"),
        ("http://127.0.0.1:80/a/", "http://127.0.0.1:80/a/"),
        ("https://u:p@[::1]:8443/a?token=x#y", "https://[::1]:8443/a"),
        ("https://token@host", "https://host"),
        ("file:///home/u/mirror", OUTSIDE),
        ("/home/u/mirror", OUTSIDE),
        ("https://host:port/", OUTSIDE),
        ("https://[broken/", OUTSIDE),
    ],
)
def test_an_address_is_shown_without_what_opens_it(url, shown):
    assert public_address(url) == shown
    assert public_address(shown) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("checksums/smoke.sha256", "checksums/smoke.sha256"),
        (str(PROJECT / "kit" / "smoke"), "kit/smoke"),
        ("/home/u/data", OUTSIDE),
        ("../data", OUTSIDE),
        ("kit/../../data", OUTSIDE),
        (OUTSIDE, OUTSIDE),
    ],
)
def test_a_path_outside_the_project_is_not_shown(name, shown):
    assert public_path(name) == shown


def test_odd_rows_of_the_data_are_in_the_result_and_no_key_where_there_are_none(
    planted, monkeypatch
):
    left = LeftOut("real_faces", "column 'answer' is empty", 1, 151, "rows", "real_faces/x, row 7")

    def with_odd_rows(manifest, places):
        return replace(load(manifest, places), left_out=(left,))

    monkeypatch.setattr("kit.stages.collect.load_benchmark", with_odd_rows)
    folder = collected(make_plan(experiment(planted)))
    assert read_run((folder / RUN).read_bytes())["left_out"] == [asdict(left)]
    said = verify(folder, trusted=TRUSTED).messages
    assert "odd entries of the published tables that were left out: 1 (in real_faces)" in said
    assert "column 'answer' is empty" in (folder / "report" / "report.md").read_text("utf-8")


def test_a_result_of_data_without_odd_rows_does_not_speak_of_any(result):
    assert "left_out" not in read_run((result / RUN).read_bytes())
    assert "could not be used" not in (result / "report" / "report.md").read_text("utf-8")
