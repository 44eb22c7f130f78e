"""Reference scalars that jobs share: one file, many writers, and the first value counts."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from kit.artifacts import PROJECT, Artifact
from kit.benchmarks.records import Concept, Record
from kit.errors import StorageError
from kit.training.shared_scalars import SharedScalars, path_of

ADA, MILO = ("r1", "Ada"), ("r2", "Milo")


def test_a_value_is_kept_to_its_last_bit(tmp_path):
    SharedScalars(tmp_path / "s.jsonl").add({ADA: -1 / 3, MILO: -1e-17})
    again = SharedScalars(tmp_path / "s.jsonl")
    assert (again.get(ADA), again.get(MILO), again.get(("r1", "Milo"))) == (-1 / 3, -1e-17, None)


def test_the_first_stored_value_is_the_one_that_everybody_uses(tmp_path):
    """Two workers have computed the same answer at the same time."""
    one, two = (SharedScalars(tmp_path / "s.jsonl") for _ in range(2))
    assert one.get(ADA) is None
    assert two.get(ADA) is None
    one.add({ADA: -1.0})
    two.add({ADA: -2.0, MILO: -3.0})
    assert [store.get(ADA) for store in (one, two)] == [-1.0, -1.0]
    assert one.get(MILO) == -3.0
    assert SharedScalars(tmp_path / "s.jsonl").get(ADA) == -1.0


def test_the_first_of_two_lines_counts_where_a_file_system_has_no_locks(tmp_path):
    (tmp_path / "s.jsonl").write_text('["r1", "Ada", -1.0]\n["r1", "Ada", -2.0]\n')
    assert SharedScalars(tmp_path / "s.jsonl").get(ADA) == -1.0


@pytest.mark.parametrize(
    "odd",
    [b'["r2", "Milo", -3', b'["r2", "Milo", "x"]\n', b'[["r2"], "Milo", -3.0]\n', b"7\n",
     b'["r2", "Milo", null]\n', b"\xff\xfe\n", b"[" * 100_000 + b"\n"],
)  # fmt: skip
def test_a_line_that_a_kill_has_cut_or_a_disk_has_damaged_spoils_no_other(tmp_path, odd):
    path = tmp_path / "s.jsonl"
    SharedScalars(path).add({ADA: -1.0})
    with path.open("ab") as stream:
        stream.write(odd)
    store = SharedScalars(path)
    assert (store.get(ADA), store.get(MILO)) == (-1.0, None)
    store.add({MILO: -4.0})
    assert SharedScalars(path).get(MILO) == -4.0


# A process of its own: one that is forked from a test with threads may wait for a lock for ever.
WRITER = """
import json, sys, time
from pathlib import Path
from kit.training.shared_scalars import SharedScalars
folder, number = Path(sys.argv[1]), int(sys.argv[2])
(folder / f"ready{number}").touch()
while len(list(folder.glob("ready*"))) < 3:
    time.sleep(0.001)
store = SharedScalars(folder / "s.jsonl")
for index in range(200):
    store.add({(f"r{index}", "a"): float(1000 * number + index)})
print(json.dumps([store.get((f"r{index}", "a")) for index in range(200)]))
"""


def test_processes_that_write_at_the_same_time_see_the_same_values(tmp_path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(number)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
        )
        for number in range(3)
    ]
    seen = [json.loads(writer.communicate(timeout=300)[0]) for writer in writers]
    assert len(seen[0]) == 200
    assert seen[0] == seen[1] == seen[2]
    assert len((tmp_path / "s.jsonl").read_text().split()) == 200 * 3, "three words a line"


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        SharedScalars(tmp_path / "file" / "s.jsonl").add({ADA: -1.0})


def test_the_file_is_named_by_all_that_decides_the_values(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    vanilla = Artifact("finetune", "vanilla", "0" * 64)
    vanilla.path.mkdir(parents=True)
    weights = vanilla.path / "adapter_model.safetensors"
    weights.write_bytes(b"1")
    forget = (Record("r1", Concept.PERSON, "Who?", "Ada", tmp_path / "1.png"),)
    other = Artifact("finetune", "vanilla", "1" * 64)
    other.path.mkdir()
    (other.path / "adapter_model.safetensors").write_bytes(b"1")
    names = [
        path_of(vanilla, forget, 1),
        path_of(other, forget, 1),
        path_of(vanilla, (*forget, replace(forget[0], id="r2")), 1),
        path_of(vanilla, (replace(forget[0], question="Who is it?"),), 1),
        path_of(vanilla, forget, 8),
    ]
    assert path_of(vanilla, forget, 1) == names[0]
    weights.write_bytes(b"2")
    assert len({*names, path_of(vanilla, forget, 1)}) == 6
    assert path_of(None, forget, 1) is None
