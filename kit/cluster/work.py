"""The work of the stages on a cluster: another `Work`, with the same results."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from kit.cluster.dispatch import Cluster, run
from kit.cluster.interpreter import TRAIN
from kit.cluster.kinds import ANSWER, METHODS, SERVE, Done, artifacts, systems_of
from kit.cluster.needs import below_cache, data_of, needs_of, needs_of_training
from kit.cluster.places import chosen
from kit.cluster.request import Request, written
from kit.cluster.shared_folder import tidy
from kit.console import say
from kit.experiment.manifest import Manifest
from kit.plan.attacks import attack_jobs
from kit.plan.jobs import Job, Plan
from kit.plan.several_cards import require_one_card
from kit.preflight.tried import untried
from kit.stages.run import shares as dealt
from kit.stages.workers import JobRecord

EXECUTOR = "--executor ray"


class ClusterWork:
    """Does the work in interpreters on the nodes of a cluster, one for each piece of work.

    It inherits nothing from the work of one machine, so that no kind of work is left to the driver.

    A stage deals out shares for the processes of one machine. Here they are dealt out again, for as
    many interpreters as the cluster has room for. Systems are answered group by group, as on one
    machine, by engines that are kept until no group is left.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def train(
        self, manifest: Manifest, jobs: Sequence[Job]
    ) -> Generator[tuple[Job, JobRecord], None, None]:
        text = written(manifest)
        # The longest first, as on one machine: none of them is left for the end.
        ordered = sorted(jobs, key=lambda job: -job.settings.steps * job.settings.batch_size)
        waiting = {job.artifact.digest: job for job in ordered}
        data = data_of(manifest)
        requests = [
            Request(
                TRAIN,
                text,
                (digest,),
                f"{job.stage}, job {job.name}",
                (*data, *needs_of_training(job)),
                (below_cache(job.artifact.path),),
            )
            for digest, job in waiting.items()
        ]
        for request, _ in run(self._cluster, requests):
            job = waiting[request.digests[0]]
            yield job, cast("JobRecord", job.artifact.job())

    def require_ready(self, plan: Plan) -> list[str]:
        request = Request(
            "require_ready",
            written(plan.manifest),
            (),
            "check of base and records",
            data_of(plan.manifest),
        )
        return _lines(done for _, done in run(self._cluster, [request]))

    def require_methods(self, plan: Plan) -> list[str]:
        waiting = [job.name for job in untried(plan)]
        shares = dealt(waiting, max(1, self._cluster.slots()))
        return _lines(self._done(METHODS, plan, shares, "trial of the methods"))

    def make_serving_base(self, plan: Plan) -> None:
        if not plan.serving.done:
            self._do(SERVE, plan, [[plan.serving.name]], "evaluate, base for the engine")

    def answer(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation.worker import groups_of

        named = _flat(shares)
        systems = [system for system in plan.systems if system.name in named]
        engines = max(1, self._cluster.slots())
        groups = [[s.name for s in g] for g in groups_of(systems, plan.manifest, engines)]
        return self._do(ANSWER, plan, groups, "evaluate", warm=True)

    def check(self, plan: Plan, names: list[str]) -> None:
        self._dealt("check", plan, [names], "evaluate, second look")

    def score(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        return self._dealt("score", plan, shares, "evaluate")

    def differentiate(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        return self._dealt("differentiate", plan, shares, "evaluate")

    def read(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        return self._dealt("read", plan, shares, "evaluate")

    def judge(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        return self._dealt("judge", plan, shares, "evaluate, judge")

    def optimise(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        return self._dealt("optimise", plan, shares, "attack, pictures")

    def probe_heads(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        return self._dealt("probe_heads", plan, shares, "attack, heads")

    def attack(self, plan: Plan, shares: Sequence[list[str]]) -> list[int]:
        from kit.evaluation.attacking import groups_of, on_adapters

        named, section = _flat(shares), plan.manifest.evaluation
        jobs = [job for job in attack_jobs(plan) if job.answers.name in named]
        if section.batch_invariant or not all(on_adapters(job, section) for job in jobs):
            return self._dealt("attack", plan, shares, "attack")
        # An engine mixes the requests of a group: other groups would give other last bits.
        groups = [[job.answers.name for job in group] for group in groups_of(jobs, section)]
        return self._do("attack", plan, groups, "attack")

    def _dealt(self, kind: str, plan: Plan, shares: Sequence[list[str]], stage: str) -> list[int]:
        """Deal names out to all slots of the cluster, and do the work."""
        named = _flat(shares)
        about = {n: system for n, system in systems_of(kind, plan).items() if n in named}
        systems = list(dict.fromkeys(about.values()))
        groups = [
            [name for name, system in about.items() if system in share]
            for share in dealt(systems, max(1, self._cluster.slots()))
        ]
        return self._do(kind, plan, groups, stage)

    def _do(
        self, kind: str, plan: Plan, groups: Sequence[list[str]], stage: str, *, warm: bool = False
    ) -> list[int]:
        """Do work on groups of names; return the peaks that are known, in bytes."""
        done = self._done(kind, plan, groups, stage, warm=warm)
        return [peak for peak in done if isinstance(peak, int)]

    def _done(
        self, kind: str, plan: Plan, groups: Sequence[list[str]], stage: str, *, warm: bool = False
    ) -> Iterator[Done]:
        """Do work on groups of names; yield what each returns as soon as it is done."""
        text, made, data = written(plan.manifest), artifacts(kind, plan), data_of(plan.manifest)
        requests = [
            Request(
                kind,
                text,
                tuple(made[n].digest for n in names),
                f"{stage}, {', '.join(names)}",
                (*data, *needs_of(kind, plan, names)),
                # A trial of methods is named by adapters, and makes none.
                tuple(below_cache(made[n].path) for n in names if kind != METHODS),
            )
            for names in groups
        ]
        for number, (request, done) in enumerate(run(self._cluster, requests, warm=warm), 1):
            if len(requests) > 1:
                say(f"  [{number}/{len(requests)}] {request.place}")
            yield cast("Done", done)


def _lines(done: Iterable[object]) -> list[str]:
    """Return the lines of several reports, as one list."""
    return [line for lines in done for line in cast("list[str]", lines or [])]


def _flat(shares: Sequence[list[str]]) -> set[str]:
    return {name for share in shares for name in share}


@contextmanager
def ray_work(address: str | None, store: str | None, manifest: Manifest) -> Iterator[ClusterWork]:
    """Connect to a Ray cluster, check its nodes, and give the work that is done there.

    Args:
        address: of its head.
        store: of `--store`; None where the nodes share the cache folder.

    Raises:
        EnvironmentFault: there is no cluster, or a node of it cannot be used.
        KitError: the store cannot be used.
        ManifestError: the base is spread over several cards.
    """
    from kit.cluster.ray_cluster import RayCluster

    require_one_card(manifest, EXECUTOR)
    place = chosen(store)
    cluster = RayCluster(address, manifest.compute.threads, place)
    try:
        lines = cluster.require_nodes()
        say(f"ray: room for {cluster.slots()} pieces of work at a time")
        for line in lines:
            say(f"  {line}")
        yield ClusterWork(cluster)
        cluster.tidy()
    finally:
        cluster.close()
    tidy(place.root)
