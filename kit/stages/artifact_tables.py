"""A table that a job has written: read whole, or named with what makes it again."""

import pyarrow as pa
import pyarrow.parquet as pq

from kit.artifacts import Artifact
from kit.result.tables import SCHEMAS
from kit.state_files import damaged


def read_artifact_table(artifact: Artifact, file: str, name: str) -> pa.Table:
    """Return the table in a file of an artifact.

    Args:
        file: its name in the artifact's folder.
        name: the table of a result that it is a part of.

    Raises:
        StorageError: the file is missing, cut off, or another table.
    """
    path, wanted = artifact.path / file, SCHEMAS[name]
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        fault = str(error)
    else:
        if table.schema.remove_metadata().equals(wanted):
            return table
        fault = ", ".join(f"{field.name} {field.type}" for field in table.schema)
    columns = ", ".join(f"{field.name} {field.type}" for field in wanted)
    raise damaged(
        path, fault[:300], artifact.path, expected=f"the table that its job wrote: {columns}"
    )
