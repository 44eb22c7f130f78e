"""Metadata in formats that other tools read: RO-Crate, SBOM, and the model cards of the adapters.

The crate and the cards follow from the other files of the result, so a verifier can make them again
(kit/verification/metadata.py).
"""

import json
from pathlib import Path

import pyarrow.parquet as pq

from kit.artifacts import write_bytes, write_json
from kit.digests import hash_files
from kit.report.model_card import model_card
from kit.report.model_index import headline_rows
from kit.report.ro_crate import ro_crate
from kit.result.layout import ADAPTERS, BILL, CARD, CRATE, README, ROWS, RUN
from kit.result.made_by import kit_of
from kit.supply_chain.environment import environment_bill
from kit.supply_chain.licences import licences
from kit.supply_chain.locks import read_lock
from kit.supply_chain.machine import lock_path


def write_metadata(results: Path) -> None:
    """Write cards, SBOM and crate into a result whose other files all exist.

    The SBOM lists the packages of the running environment, which must be the one that run.json
    describes.

    Raises:
        EnvironmentFault: the lock of the environment cannot be read.
    """
    run = json.loads((results / RUN).read_text(encoding="utf-8"))
    measured = headline_rows(pq.ParquetFile(results / ROWS).read())
    for path in sorted((results / ADAPTERS).glob(f"*/{CARD}")):
        card = json.loads(path.read_text(encoding="utf-8"))
        write_bytes(path.with_name(README), model_card(card, run, measured).encode())
    bill = environment_bill(
        run["environment"], kit_of(run).version, read_lock(lock_path()), licences()
    )
    write_json(results / BILL, bill)
    files = (path for path in results.rglob("*") if path.is_file())
    names = sorted(path.relative_to(results).as_posix() for path in files)
    write_json(results / CRATE, ro_crate(run, hash_files(results, names)))
