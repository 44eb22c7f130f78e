"""A table of an artifact that is damaged is named, and removing its folder makes it again."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kit.artifacts import Artifact
from kit.errors import StorageError
from kit.result.layout import ANSWERS
from kit.result.tables import SCHEMAS
from kit.stages.artifact_tables import read_artifact_table

FILE = "answers.parquet"


@pytest.fixture
def artifact(tmp_path, monkeypatch):
    monkeypatch.setenv("PEBENCH_CACHE", str(tmp_path))
    made = Artifact("evaluate", "vanilla", "0" * 64)
    made.partial.mkdir(parents=True)
    pq.write_table(SCHEMAS[ANSWERS].empty_table(), made.partial / FILE)
    made.publish({})
    return made


def test_what_a_job_writes_is_read(artifact):
    assert read_artifact_table(artifact, FILE, ANSWERS).schema.equals(SCHEMAS[ANSWERS])


@pytest.mark.parametrize("kept", [0, 3, 200, -1])
def test_a_file_that_is_cut_off_is_named_with_the_folder_to_remove(artifact, kept):
    path = artifact.path / FILE
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StorageError, match=f"{FILE} is damaged") as caught:
        read_artifact_table(artifact, FILE, ANSWERS)
    assert str(caught.value.remedy).startswith(f"remove {artifact.path}, ")
    shutil.rmtree(artifact.path)
    assert not artifact.done, "so that its job is run again"


def test_another_table_and_a_missing_one_are_named(artifact):
    pq.write_table(pa.table({"record_id": [1]}), artifact.path / FILE)
    with pytest.raises(StorageError, match="found: record_id int64"):
        read_artifact_table(artifact, FILE, ANSWERS)
    (artifact.path / FILE).unlink()
    with pytest.raises(StorageError, match=f"{FILE} is damaged"):
        read_artifact_table(artifact, FILE, ANSWERS)
