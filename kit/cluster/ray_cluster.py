"""Ray as the cluster of `kit.cluster.dispatch`. The only module that imports Ray."""

import logging
import os
import secrets
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kit.cluster import nodes, remote
from kit.cluster.dispatch import LostError
from kit.cluster.interpreter import CHILD, Reply, variables
from kit.cluster.places import Place
from kit.cluster.request import Request
from kit.cluster.site import packages_of_ray
from kit.errors import EnvironmentFault, KitError

ANSWER_S = 180.0  # for a node to say what it has
REPLY_S = 60.0  # to bring a reply that is ready
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}


class RayCluster:
    """A running Ray cluster, seen from one of its nodes.

    Args:
        address: HOST:PORT of the head; None for the cluster of `RAY_ADDRESS`, or of this machine.
        threads: that a piece of work needs where there is no card.
        place: where artifacts live.
        module: what its interpreters run; a test has another one.

    Raises:
        EnvironmentFault: there is no such cluster, a node of it cannot be used, or none suffices.
    """

    def __init__(
        self, address: str | None, threads: int, place: Place, module: str = CHILD
    ) -> None:
        self._ray = _imported()
        self._threads = threads
        self._place = place
        self._tokens: list[str] = []
        self._given, self._module = variables(), module
        self._attempts: dict[int, tuple[Any, str, Any]] = {}  # reference, token, host
        self._idle: list[tuple[Any, str]] = []
        self._count = 0
        handler = signal.getsignal(signal.SIGTERM)
        try:
            self._ray.init(
                address=address or "auto",
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise EnvironmentFault(
                f"no Ray cluster answers at {address or 'RAY_ADDRESS, or on this machine'}",
                expected="a cluster that this machine is a part of",
                found=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
                remedy="start one on this machine with `./run.sh ray start --head`, or join this "
                "machine to one with `./run.sh ray start --address=HEAD:PORT`",
            ) from None
        signal.signal(signal.SIGTERM, handler)  # Ray's own would end without a word

    def close(self) -> None:
        """Leave the cluster; what this driver started there ends."""
        self.release()
        self._ray.shutdown()
        with suppress(KitError):  # signs that stay do no harm
            self._place.close(self._tokens)

    def tidy(self) -> None:
        """Remove what killed interpreters of this driver left on nodes with caches of their own."""
        if self._place.apart:
            asked = self._ask_nodes(remote.tidy, *self._tokens)
            self._ray.wait(list(asked.values()), num_returns=len(asked), timeout=ANSWER_S)

    def require_nodes(self) -> list[str]:
        """Ask every node what it is, and whether it finds the artifacts; return lines about them.

        Raises:
            EnvironmentFault: a node cannot be used, or none has what a piece of work needs.
            KitError: the place of the artifacts cannot be used.
        """
        about_place = self._place.check()
        note = self._place.write_note()
        try:
            asked = self._ask_nodes(remote.describe, self._place.where, note)
            said: dict[str, dict[str, Any] | None] = dict.fromkeys(asked)
            ready, _ = self._ray.wait(
                list(asked.values()), num_returns=len(asked), timeout=ANSWER_S
            )
            for address, reference in asked.items():
                if reference in ready:
                    try:
                        said[address] = self._ray.get(reference)
                    except self._ray.exceptions.RayError:
                        continue
            there = set(map(_named, self._alive()))  # a node that has died meanwhile says nothing
            said = {node: found for node, found in said.items() if found or node in there}
            own = nodes.facts(self._place.read_note(note))
            lines = nodes.require_equal(own, said, self._place.word, self._place.remedy)
        finally:
            self._place.remove_note(note)
        if not self.slots():
            raise EnvironmentFault(
                "no node of the cluster can do a piece of work",
                expected=f"a card, or {self._threads} CPUs (compute.threads) of one node",
                found=str(self._ray.cluster_resources()),
                remedy="start Ray with --num-cpus or --num-gpus, or lower compute.threads",
            )
        return [*about_place, *lines]

    def slots(self) -> int:
        """Return how many cards there are; without any, how often the threads fit into a node."""
        alive = self._alive()
        cards = sum(int(node["Resources"].get("GPU", 0)) for node in alive)
        return cards or sum(int(n["Resources"].get("CPU", 0)) // self._threads for n in alive)

    def submit(self, request: Request, *, warm: bool) -> int:
        """Hand a piece of work to Ray, which waits for a node that has room."""
        self._count += 1
        line, lent = request.encoded(), self._place.lend(request.needs)
        if warm:
            host, token = self._idle.pop() if self._idle else self._open_host()
            reference = host.ask.remote(line, lent)
        else:
            token, host = self._new_token(), None
            do = self._remote(remote.do_once, **self._resources())
            where = self._place.where
            reference = do.remote(where, token, self._given, self._module, line, lent)
        self._attempts[self._count] = reference, token, host
        return self._count

    def wait(self, attempts: Sequence[int], seconds: float) -> list[int]:
        """Return the attempts that have an outcome."""
        by_reference = {self._attempts[number][0]: number for number in attempts}
        if not by_reference:
            return []
        ready, _ = self._ray.wait(list(by_reference), num_returns=1, timeout=seconds)
        return [by_reference[reference] for reference in ready]

    def reply(self, attempt: int) -> Reply:
        """Return the reply of an attempt that has an outcome."""
        reference, token, host = self._attempts.pop(attempt)
        errors = self._ray.exceptions
        try:
            reply: Reply = self._ray.get(reference, timeout=REPLY_S)
        except errors.RayTaskError as error:
            raise error.as_instanceof_cause() from None
        except errors.RayError as error:
            raise LostError(_said(error)) from None
        if host is not None and "done" in reply:
            self._idle.append((host, token))
        elif host is not None:
            self._ray.kill(host)
        if "done" in reply:
            self._place.bring(reply["made"])
        return reply

    def sign(self, attempt: int) -> tuple[str, float] | None:
        """Return an attempt's node and its last sign of life; None where there is none to read."""
        return self._place.heard(self._attempts[attempt][1])

    def lives(self, node: str) -> bool:
        """Return whether Ray holds a node alive."""
        return node in {each["NodeID"] for each in self._alive()}

    def give_up(self, attempt: int) -> None:
        """Kill the worker of an attempt, if it can be reached."""
        reference, _, host = self._attempts.pop(attempt)
        if host is None:
            self._ray.cancel(reference, force=True)
        else:
            self._ray.kill(host)

    def release(self) -> None:
        """End the kept interpreters that have nothing to do."""
        for host, _ in self._idle:
            with suppress(self._ray.exceptions.RayError):  # its node is gone
                self._ray.get(host.close.remote(), timeout=REPLY_S)
            self._ray.kill(host)
        self._idle = []

    def _open_host(self) -> tuple[Any, str]:
        token = self._new_token()
        options = {**self._resources(), "max_restarts": 0, "max_task_retries": 0}
        opened = self._ray.remote(**options)(remote.Host)
        return opened.remote(self._place.where, token, self._given, self._module), token

    def _new_token(self) -> str:
        self._tokens.append(secrets.token_hex(8))
        return self._tokens[-1]

    def _ask_nodes(self, function: Any, *words: str) -> dict[str, Any]:
        """Let every node call a function; return {address of the node: reference of the reply}."""
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        asked = {}
        for node in self._alive():
            pinned = strategy(node["NodeID"], soft=False)
            task = self._remote(function, num_cpus=0).options(scheduling_strategy=pinned)
            asked[_named(node)] = task.remote(*words)
        return asked

    def _remote(self, function: Any, **options: Any) -> Any:
        # Ray would repeat a task three times, without a word.
        return self._ray.remote(max_retries=0, **options)(function)

    def _resources(self) -> dict[str, float]:
        cards = any(node["Resources"].get("GPU") for node in self._alive())
        return {"num_gpus": 1, "num_cpus": 1} if cards else {"num_cpus": self._threads}

    def _alive(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]


def _named(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerAddress']} {node['NodeID'][:6]}"


def _said(error: Exception) -> str:
    words = str(error).strip().splitlines()
    return f"{type(error).__name__}: {words[0][:120]}" if words else type(error).__name__


def _imported() -> Any:
    """Import Ray from its own environment, which holds no other version of a package than this."""
    os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})
    with packages_of_ray():
        import msgpack  # noqa: F401  # which Ray imports when it is needed
        import ray
        import ray.util.scheduling_strategies
    return ray
