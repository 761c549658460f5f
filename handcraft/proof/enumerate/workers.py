"""Counts units of work in several processes: on this machine, or on a cluster of dask or ray.

    loky   processes of this machine; the extra `fast`
    dask   --address tcp://HOST:8786 of a scheduler, or none for two processes and more on this
           machine; the extra `cluster`
    ray    --address HOST:6379 or auto, or none; the extra `cluster`

A process that dies takes its unit with it and, with loky, its whole pool; the units that have
not come back are then handed out again. A unit is known by its number, so one that comes back
twice is counted once. It is an error only if processes die again and again while no unit comes
back: the memory is probably too small.

Loky and ray are reached through joblib, dask through its own client: joblib's backend for dask
waits for ever for a task that dask gives up (a unit on which workers keep dying, a worker
without this package), and with a cluster of a single worker it computes in the calling process.

The workers of a cluster need this package installed. A worker that dask's nanny started has
MALLOC_TRIM_THRESHOLD_ set, which makes the enumeration in NumPy three times as slow; the
compiled one does not notice. Our own local cluster is started without it.

Rules of this file: it does not know what a unit holds; results come in any order.
"""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    redirect_stdout,
)
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

from handcraft.core.errors import ClusterError, MissingExtraError, printable
from handcraft.files.program_file import PROGRAM_MODULE
from handcraft.proof.task import Spread

PATIENCE = 3  # how often in a row processes may die before any unit comes back
# units for each process of a cluster on their way at once; ray gives back whole lists of them
_TOGETHER = 4
CONNECT = 20  # seconds to reach a cluster

Counted_co = TypeVar("Counted_co", covariant=True)


class UnitsOfWork(Protocol[Counted_co]):
    """Work in units, each counted by itself; whatever it is, it travels to other processes."""

    def count(self, index: int, /) -> tuple[Counted_co, bool]:
        """What a unit comes to, and True if that is all of it."""
        ...


Call = tuple[bytes, int]  # the work and the number of a unit
Pool = Callable[[Iterable[Call]], Iterator[tuple[int, Any]]]
Failures = tuple[
    type[BaseException], ...
]  # what a pool raises where a process has died


def is_spread(spread: Spread) -> bool:
    """True if more than this process is asked for."""
    return spread.backend != "loky" or spread.jobs not in (None, 1)


def count_units(
    work: UnitsOfWork[Counted_co],
    units: Sequence[int],
    spread: Spread,
    go_on: Callable[[], bool],
) -> Generator[tuple[int, Counted_co]]:
    """What each unit comes to with its number, each once, as they come; no more are begun when
    `go_on` says so.
    """
    missing = set(units)
    patience = PATIENCE
    with ExitStack() as stack:
        pool, lost = stack.enter_context(_POOLS[spread.backend](spread))
        payload = _packed(work)
        while missing and go_on():
            calls = ((payload, index) for index in sorted(missing) if go_on())
            try:
                for index, tally in pool(calls):
                    if index in missing:
                        missing.remove(index)
                        patience = PATIENCE
                        yield index, tally
            except ModuleNotFoundError as error:
                missing_there = printable(str(error.name))
                raise ClusterError(
                    f"a worker cannot import {missing_there}: install this package"
                    " there, in the same version"
                ) from None
            except lost as error:
                patience -= 1
                if not patience:
                    name = type(error).__name__
                    raise ClusterError(
                        f"{PATIENCE} times a process died before it had counted"
                        f" anything ({name})"
                    ) from None


def _one_by_one(jobs: int, calls: Iterable[Call]) -> Iterator[tuple[int, Any]]:
    """The result of each unit as it is done."""
    from joblib import Parallel, delayed

    pool = Parallel(
        n_jobs=jobs,
        backend="loky",
        batch_size=1,
        return_as="generator_unordered",
    )
    found = pool(delayed(_count)(*call) for call in calls)
    try:
        for one in found:  # noqa: UP028  # `yield from` would close it too soon
            yield one
    finally:
        with warnings.catch_warnings(
            action="ignore", category=UserWarning
        ):  # that units which were begun are given up
            found.close()


def _in_lists(jobs: int, calls: Iterable[Call]) -> Iterator[tuple[int, Any]]:
    """The results of a backend that gives back whole lists, as ray does: a few units for each
    process at a time.
    """
    from joblib import Parallel, delayed, effective_n_jobs

    waiting = iter(calls)
    most = _TOGETHER * effective_n_jobs(jobs)
    while part := list(islice(waiting, most)):
        yield from Parallel(n_jobs=jobs, batch_size=1)(
            delayed(_count)(*call) for call in part
        )


def _count(payload: bytes, index: int) -> tuple[int, Any]:
    with redirect_stdout(sys.stderr):  # what an author's function prints
        return index, _unpacked(payload).count(index)[0]


@lru_cache(maxsize=1)
def _unpacked(payload: bytes) -> UnitsOfWork[Any]:
    work: UnitsOfWork[Any] = pickle.loads(payload)  # noqa: S301  # of the process that asked us
    return work


def _packed(work: UnitsOfWork[Any]) -> bytes:
    """The work as bytes, once for all units; the author's program travels along, since no
    worker could import it.
    """
    cloudpickle = _extra("cloudpickle", "fast", "several processes need")
    # by name: a script stands in sys.modules under two
    own = list({one.__name__: one for one in _program_modules()}.values())
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        packed: bytes = cloudpickle.dumps(work)
        return packed
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)


def _program_modules() -> Iterator[ModuleType]:
    """Program files that were loaded, and the modules beside them."""
    programs = [
        module
        for name, module in sys.modules.items()
        if name.startswith(PROGRAM_MODULE)
    ]
    folders = {_folder(module) for module in programs}
    yield from (
        module
        for name, module in list(sys.modules.items())
        if "." not in name and _folder(module) in folders
    )


def _folder(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve().parent if isinstance(file, str) else None


# ---------------------------------------------------------------- the backends


@contextmanager
def _loky(spread: Spread) -> Iterator[tuple[Pool, Failures]]:
    _extra("joblib", "fast", "several processes need")
    yield partial(_one_by_one, spread.jobs or -1), (BrokenExecutor,)


@contextmanager
def _dask(spread: Spread) -> Iterator[tuple[Pool, Failures]]:
    distributed = _extra("distributed", "cluster", "the backend dask needs")
    with ExitStack() as stack:
        address = (
            stack.enter_context(_local_dask(distributed, spread.jobs))
            if spread.address is None
            else spread.address
        )
        try:
            client = stack.enter_context(
                distributed.Client(
                    address, timeout=CONNECT, set_as_default=False
                )
            )
            client.wait_for_workers(1, timeout=CONNECT)
        except (OSError, ValueError, TimeoutError) as error:
            raise _unreachable(str(spread.address), error) from None
        yield (
            partial(_by_dask, distributed, client),
            (
                distributed.scheduler.KilledWorker,
                distributed.comm.CommClosedError,
                CancelledError,
            ),
        )


def _by_dask(
    distributed: Any, client: Any, calls: Iterable[Call]
) -> Iterator[tuple[int, Any]]:
    """The result of each unit as it is done, with some for each worker on their way."""
    waiting = iter(calls)
    underway = distributed.as_completed([], loop=client.loop)
    try:
        for call in islice(
            waiting, _TOGETHER * sum(client.nthreads().values())
        ):
            underway.add(client.submit(_count, *call, pure=False))
        for future in underway:
            yield future.result()
            for call in islice(waiting, 1):
                underway.add(client.submit(_count, *call, pure=False))
    finally:
        client.cancel(list(underway.futures), force=True)


def _local_dask(
    distributed: Any, jobs: int | None
) -> AbstractContextManager[Any]:
    import dask

    dask.config.set(
        {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": "-1"}
    )
    cluster: AbstractContextManager[Any] = distributed.LocalCluster(
        n_workers=jobs or os.cpu_count(),
        threads_per_worker=1,
        dashboard_address=":0",
    )
    return cluster


@contextmanager
def _ray(spread: Spread) -> Iterator[tuple[Pool, Failures]]:
    joblib, ray = (
        _extra(name, "cluster", "the backend ray needs")
        for name in ("joblib", "ray")
    )
    from ray.util.joblib import register_ray

    register_ray()
    own = not ray.is_initialized()
    if own:
        try:
            ray.init(
                address=spread.address,
                num_cpus=None if spread.address else spread.jobs or None,
                log_to_driver=False,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise _unreachable(str(spread.address), error) from None
    try:
        with joblib.parallel_config("ray"):
            yield (
                partial(_in_lists, spread.jobs or -1),
                (ray.exceptions.RayError,),
            )
    finally:
        if own:
            ray.shutdown()


_POOLS: dict[
    str, Callable[[Spread], AbstractContextManager[tuple[Pool, Failures]]]
] = {
    "loky": _loky,
    "dask": _dask,
    "ray": _ray,
}


def _extra(module: str, extra: str, what: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise MissingExtraError(
            f"{what} the extra `{extra}`: pip install 'handcraft[{extra}]'"
        ) from None


def _unreachable(address: str, error: Exception) -> ClusterError:
    return ClusterError(
        f"no cluster answers at {printable(address)[:200]}:"
        f" {printable(str(error))[:200]}"
    )
