"""The probes in miniature: equal bytes everywhere, and the columns and fields that are published.

The published names were read in these places, and no published table was seen:

MMRel       README of MM-Hallu/MMRel on the hub at 45a94ba
MMBench     README of lmms-lab/MMBench on the hub at 56ba1af (configuration en)
MM-GCoT     dataset/*.json of github.com/DoubtedSteam/MM-GCoT at 2f853fb
MultiTrust  mmte/datasets and mmte/configs/datasets of github.com/thu-ml/MMTrustEval at a067801
"""

import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kit.artifacts import PROJECT
from kit.benchmarks.probes import mmgcot, multitrust
from kit.digests import hash_files, read_checksums
from kit.smoke.world import PROBES, write_world

TEXT = pa.string()
IMAGE = pa.struct([("bytes", pa.binary()), ("path", TEXT)])
TABLES = {
    "mmrel": ["question_id", "question", "answer", "source", "eval_type", "relation_type"],
    "mmbench": [
        "index", "question", "hint", "answer", "A", "B", "C", "D", "category", "source",
        "L2-category", "comment", "split",
    ],
}  # fmt: skip
ITEM = {
    "id": int, "img": str, "question": str, "cot": str, "answer": str, "coordinate": str,
    "qualified": bool,
}  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("twins")
    for name in PROBES:
        write_world(root / name, name)
    return root


def tree(root):
    return hash_files(
        root, [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    )


@pytest.mark.parametrize("name", PROBES)
def test_the_files_are_those_in_the_checksum_list(drawn, name):
    assert tree(drawn / name) == read_checksums(PROJECT / f"checksums/{name}-smoke.sha256")


def test_the_files_are_equal_in_a_process_with_another_hash_seed(drawn, tmp_path):
    code = "import sys, pathlib, kit.smoke.world as w\n" + "\n".join(
        f"w.write_world(pathlib.Path(sys.argv[1], '{name}'), '{name}')" for name in PROBES
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": "4711"}, cwd=PROJECT, check=True,
    )  # fmt: skip
    assert tree(tmp_path) == tree(drawn)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_tables_have_the_published_columns_and_types(drawn, name):
    (path,) = (drawn / name).rglob("*.parquet")
    found = {field.name: field.type for field in pq.read_schema(path)}
    assert found == {"image": IMAGE, **dict.fromkeys(TABLES[name], TEXT)}


def test_items_of_mmgcot_have_the_published_fields_and_types(drawn):
    for file in mmgcot.FILES.values():
        for item in json.loads((drawn / "mmgcot" / file).read_text(encoding="utf-8")):
            assert {name: type(value) for name, value in item.items()} == ITEM


def test_items_of_multitrust_have_the_published_fields(drawn):
    for name, task in multitrust.TASKS.items():
        text = (drawn / "multitrust" / task.file).read_text(encoding="utf-8")
        lines = task.file.endswith(".jsonl")
        rows = [json.loads(line) for line in text.splitlines()] if lines else json.loads(text)
        fields = {"image", task.asked, task.answer} | ({"kind"} if name == "confusion" else set())
        assert all(set(row) == fields - {""} for row in rows)
