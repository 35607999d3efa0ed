"""The job child: the process in which a user's code runs. It gets a working directory, a log, a pipe, and no more.

It waits for its job, reads what is asked while the supervisor writes that it runs, and waits for the word to go.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import shutil
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from geomill.app import runners
from geomill.app.config import Settings
from geomill.app.engine import isolation
from geomill.app.engine.messages import say
from geomill.app.engine.steps import LOGS, RETRIED
from geomill.app.runners.task import Failed, Task
from geomill.app.tenant_names import LONGEST
from geomill.jobstore import Job, JobStore, records
from geomill.jobstore.store import KEPT
from geomill.processes import BadInput
from geomill.processes.call import authors, explain

LENGTH = LONGEST + 36  # bytes that name a job: its tenant, filled up with spaces, and its id
GO = b"!"
REST = 0.01  # seconds without a job until one is rehearsed: where one follows the other, that would only cost time
CAUSES = ("exception", "exit", "bad-input", "disk-full", "result")  # that a child may name for its failure
# what of the dispatcher's environment, itself scrubbed, describes the machine and not somebody's session
_SESSION = ("HOME", "TMPDIR", "USER", "LOGNAME")


def warm_up() -> None:
    """Take the paths of a first job in a template, for what they import."""
    for runner in runners.loaded():
        runner.warm_up()
    rehearse()


def rehearse() -> None:
    """Take the paths of a job that is to come, for the pages that they copy after a fork."""
    job = Job(records.new_job_id(), "", "", "", records.now(), "", "", "", "")
    records.load_job(json.loads(json.dumps(records.dump(job))))
    for runner in runners.loaded():
        runner.rehearse()


def named(tenant: str, job_id: str) -> bytes:
    """The first order to a child: which job is its own."""
    return f"{tenant:{LONGEST}}{job_id}".encode()


def main(store: JobStore, settings: Settings, orders: int, channel: int, *, own_processes: bool) -> NoReturn:
    """Wait for a job and become it: run it, say its results or its failure, end.

    store: of any tenant; orders: gives what `named` says of the job, then GO, or ends;
    own_processes: this is in a PID namespace.
    """
    _leave_supervisor(orders, channel, settings.max_processes if own_processes else None)
    if not select.select([orders], [], [], REST)[0]:
        rehearse()
    name = os.read(orders, LENGTH).decode()
    if not name:
        os._exit(0)
    code, path = 1, ""
    try:
        store = store.of(name[:LONGEST].rstrip())
        job = store.job(name[LONGEST:])
        path = job.path
        task = Task.of(store, settings, job, lambda message: say(channel, message))  # before our rights are dropped
        if not os.read(orders, len(GO)):
            os._exit(0)
        os.close(orders)
        _settle(settings, job, task.work)
        results = runners.runner(job.runner).run(task)
        say(channel, {"results": results})
        code = 0
    except Failed as error:
        say(channel, {"failure": error.failure})
    except BaseException as error:
        with contextlib.suppress(Exception):
            failure = explain(error)  # in which the job's own folder means nothing to anybody
            say(channel, {"failure": {**failure, "message": failure["message"].replace(f"{os.getcwd()}/", "")}})
        if not isinstance(error, SystemExit | BadInput):
            traceback.print_exception(error.with_traceback(authors(error.__traceback__, path)))
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _leave_supervisor(orders: int, channel: int, processes: int | None) -> None:
    """Leave everything of the supervisor behind; nothing here takes a job.

    processes: that the PID namespace may hold; None when there is none.
    """
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    isolation.close_all_but([0, 1, 2, orders, channel])
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if processes is not None:
        isolation.mount_proc()
        isolation.limit_namespace(processes)
    isolation.leave_keyring()
    isolation.die_with_parent()
    os.umask(0o077)
    for name in _SESSION:
        os.environ.pop(name, None)
    _reseed()
    for stream, mode in ((1, "stdout"), (2, "stderr")):
        setattr(sys, mode, os.fdopen(stream, "w", buffering=1, encoding="utf-8", errors="backslashreplace"))


def _settle(settings: Settings, job: Job, work: Path) -> None:
    """Take the place of the job: its log, its user, its directory."""
    log = os.open(work.with_name("log"), os.O_WRONLY | os.O_APPEND)
    for target in (1, 2):
        os.dup2(log, target)
    os.close(log)
    _prepare(job, work)
    isolation.expose_to_oom_killer()
    isolation.set_name(job.process_id)
    if settings.job_user and os.geteuid() == 0:
        _become(settings.job_user, work)
        isolation.die_with_parent()
    os.chdir(work)
    os.environ.update(HOME=str(work), TMPDIR=str(work))
    _limit_threads(max(1, int(job.limits.cpus)))


def _prepare(job: Job, work: Path) -> None:
    """What a job with steps needs beside its scratch: a folder for their logs, and what it retries."""
    if job.runner == "python":
        return
    os.mkdir(work.with_name(LOGS), 0o700)
    if job.retry_of is not None:
        older = work.parents[2] / job.retry_of[:7] / job.retry_of / KEPT
        with contextlib.suppress(OSError, RecursionError):  # removed meanwhile, or too much: it costs time only
            shutil.copytree(older, work / RETRIED, symlinks=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    """The same file, or the same link."""
    os.link(source, target, follow_symlinks=False)


def _become(user: str, work: Path) -> None:
    """Drop from root to this user for good; only the working directory and the logs of steps are his."""
    entry = pwd.getpwnam(user)
    for root in (work, work.with_name(LOGS)):
        for folder, _, _ in os.walk(root):
            os.chown(folder, entry.pw_uid, entry.pw_gid)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _reseed() -> None:
    """A forked generator continues its parent's numbers, the same in every job. Python's own is new after a fork."""
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _limit_threads(count: int) -> None:
    """Let BLAS and OpenMP use what the job was given: the template froze them at one thread."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)
    if count > 1 and "numpy" in sys.modules:
        with contextlib.suppress(ImportError):
            from threadpoolctl import threadpool_limits

            threadpool_limits(count)
