"""How many machines a job has. Several become one Ray cluster, which only the job itself uses."""

from kit.errors import ManifestError

ONE = 1
# Ray's processes on one machine: 0.5 GB of the head, 1 GB with its dashboard, and 0.1 GB for each
# of its workers (two nodes with a dashboard: 2.1 GB).
RAY_BYTES = 2 << 30
# Requests and replies are a few kB; adapters and answers go through the cache.
OBJECT_STORE_BYTES = 100_000_000
RAY = "ray"  # the executor


def require_nodes(
    nodes: int | None, executor: str, address: str | None, store: str | None = None
) -> int:
    """Return the number of machines; 1 without Ray.

    Args:
        nodes: of `--nodes`.
        executor: of `--executor`.
        address: of `--address`.
        store: of `--store`.

    Raises:
        ManifestError: the options do not go together, or one machine is to be a cluster.
    """
    if executor != RAY:
        if nodes is not None:
            raise ManifestError(
                "--nodes needs a Ray cluster: without one, a job uses one machine",
                expected="--executor ray",
                found=f"--executor {executor}",
                remedy="add --executor ray, or leave --nodes out",
            )
        return ONE
    if address is not None:
        raise ManifestError(
            "--address names a Ray cluster, and the job makes one of its own",
            expected="--executor ray without --address",
            found=address,
            remedy="leave --address out",
        )
    if store is not None:
        raise ManifestError(
            "--store is for a Ray cluster that exists: the machines of a job meet in one cache",
            expected="--emit without --store",
            found=store,
            remedy="leave --store out, and let the machines share PEBENCH_CACHE",
        )
    if nodes is None or nodes <= ONE:
        raise ManifestError(
            "--nodes is missing" if nodes is None else f"--nodes {nodes} is no cluster",
            expected="2 machines or more",
            found=nodes,
            remedy="name a number, for example --nodes 4; for one machine, leave --executor and "
            "--nodes out",
        )
    return nodes
