"""A driver of toy work on a Ray cluster, which prints what was done.

ADDRESS KIND JOBS SECONDS [warm] [s3://BUCKET/PREFIX]
"""

import json
import sys
import time

from kit.cluster.dispatch import run
from kit.cluster.places import chosen
from kit.cluster.ray_cluster import RayCluster
from kit.cluster.request import Request
from kit.digests import sha256_value


def digests(count: int) -> list[str]:
    return [sha256_value(["toy", number]) for number in range(count)]


def main(address: str, kind: str, jobs: str, seconds: str, *words: str) -> None:
    place = chosen(next((word for word in words if "://" in word), None))
    cluster = RayCluster(address, 1, place, module="tests.cluster.toy_child")
    try:
        print(json.dumps({"nodes": cluster.require_nodes(), "slots": cluster.slots()}), flush=True)
        started = time.monotonic()
        asked = [
            Request(kind, seconds, (d,), f"job {n}", makes=(f"artifacts/toy-job-{d[:16]}",))
            for n, d in enumerate(digests(int(jobs)))
        ]
        for request, done in run(cluster, asked, warm="warm" in words, poll_s=1.0):
            print(json.dumps({"place": request.place, "done": done}), flush=True)
        print(json.dumps({"seconds": time.monotonic() - started}), flush=True)
    finally:
        cluster.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
