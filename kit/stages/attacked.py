"""What a result takes from the stage of attacks; nothing, where the manifest has none."""

import pandas as pd
import pyarrow as pa

from kit.code import code_of
from kit.digests import sha256_value
from kit.errors import MissingStageError
from kit.evaluation.attacked_file import FILE, ORDER
from kit.plan.attacks import AttackJob, attack_jobs
from kit.plan.jobs import Plan
from kit.result.layout import ATTACKED
from kit.result.tables import SCHEMAS
from kit.stages.artifact_tables import read_artifact_table


def unattacked(plan: Plan) -> list[AttackJob]:
    """Return the attacks that have not been run."""
    return [job for job in attack_jobs(plan) if not job.answers.done]


def attacks_made(plan: Plan) -> dict[str, list[str]]:
    """Return the digests of all answers under attack, as an input of the result.

    Raises:
        MissingStageError: an attack has not been run.
    """
    if missing := unattacked(plan):
        raise MissingStageError(
            f"{len(missing)} attacks on systems are not run yet",
            expected="the answers of every attack",
            found=f"{len(attack_jobs(plan)) - len(missing)} of {len(attack_jobs(plan))}",
            remedy="run `./run.sh attack` first",
        )
    jobs = attack_jobs(plan)
    return {"attacks": [job.answers.digest for job in jobs]} if jobs else {}


def read_attacked(plan: Plan) -> pd.DataFrame | None:
    """Return all answers under attack as one table, sorted; None without attacks."""
    jobs = attack_jobs(plan)
    if not jobs:
        return None
    parts = [read_artifact_table(job.answers, FILE, ATTACKED) for job in jobs]
    whole: pd.DataFrame = pa.concat_tables([SCHEMAS[ATTACKED].empty_table(), *parts]).to_pandas()
    return whole.sort_values(ORDER, ignore_index=True)


def attack_facts(plan: Plan) -> dict[str, list[dict[str, object]]]:
    """Return what run.json says of each attack: the digest of its code with all wordings."""
    jobs = {job.entry.name: job for job in attack_jobs(plan)}
    if not jobs:
        return {}
    return {
        "attacks": [
            {"name": name, "code": sha256_value(code_of([type(job.attack).__module__]))}
            for name, job in jobs.items()
        ]
    }
