"""Decides when the jobs of a run may run: side by side, as far as there is room."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from cwltool.executors import JobExecutor, MultithreadedJobExecutor
from cwltool.process import Process


class Executor(MultithreadedJobExecutor):
    """Runs steps side by side, as far as their requirements fit into what the job may use."""

    def __init__(self, cores: float, memory: int) -> None:
        """cores: processors; memory: bytes.

        What MultithreadedJobExecutor does here, without running nvidia-smi: the sandbox shows no tool a GPU.
        """
        JobExecutor.__init__(self)
        self.exceptions, self.pending_jobs, self.pending_jobs_lock = [], [], threading.Lock()
        self.max_cores, self.max_ram, self.max_cuda = cores, memory >> 20, 0
        self.allocated_cores, self.allocated_ram, self.allocated_cuda = 0.0, 0.0, 0

    def run_jobs(self, process: Any, job_order_object: Any, logger: Any, runtime_context: Any) -> None:
        """Run all there is. What cannot be made or run raises, where cwltool alone would wait for ever."""
        super().run_jobs(_Unlocking(process), job_order_object, logger, runtime_context)  # type: ignore[arg-type]

    def wait_for_next_completion(self, runtime_context: Any) -> None:
        """Wait for a step to end."""
        with unlocking(runtime_context):
            super().wait_for_next_completion(runtime_context)


class _Unlocking:
    """A process, of which a job that cannot be made locks out nobody."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def job(self, job_order: Any, output_callbacks: Any, runtimeContext: Any) -> Any:
        """Its jobs."""
        with unlocking(runtimeContext):
            yield from self.process.job(job_order, output_callbacks, runtimeContext)


@contextlib.contextmanager
def unlocking(context: Any) -> Iterator[None]:
    """Give the lock back that the executor holds: it waits for its threads after an error, and they for the lock."""
    try:
        yield
    except Exception:
        context.workflow_eval_lock.release()
        raise
