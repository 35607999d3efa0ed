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
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from geomill.app import runners
from geomill.app.config import Settings
from geomill.app.egress import environment, way_out
from geomill.app.egress.way_out import WayOut
from geomill.app.engine import isolation, limits
from geomill.app.engine.ends import Ends
from geomill.app.engine.messages import heard, say
from geomill.app.engine.steps import RETRIED
from geomill.app.runners.task import Failed, Task
from geomill.app.tenant_names import LONGEST
from geomill.jobstore import Job, JobCorrupt, JobStore, NoSuchJob, records, torn
from geomill.jobstore.folders import KEPT, LOGS
from geomill.processes import BadInput
from geomill.processes.call import authors, explain
from geomill.processes.packages import threads
from geomill.processes.records import CorruptProcess

LENGTH = LONGEST + 36  # bytes that name a job: its tenant, filled up with spaces, and its id
GO = b"!"
HOST = "host"  # the network of a job that needs more than HTTP
REST = 0.01  # seconds without a job until one is rehearsed: where one follows the other, that would only cost time
# that a child may name for its failure
CAUSES = ("exception", "exit", "bad-input", "disk-full", "result", torn.CORRUPT, *limits.CAUSES)


def warm_up() -> None:
    """Take the paths of a first job in a template, for what they import."""
    for runner in runners.loaded():
        runner.warm_up()
    rehearse()


def rehearse(take: Callable[[Job], object] = lambda job: None) -> None:
    """Take the paths of a job that is to come, for the pages that they copy after a fork.

    take: begins to read what there is of a job; there is nothing of this one.
    """
    job = Job(records.new_job_id(), "", "", "", records.now(), "", "", "", "")
    records.load_job(json.loads(json.dumps(records.dump(job))))
    with contextlib.suppress(NoSuchJob, OSError):
        take(job)
    for runner in runners.loaded():
        runner.rehearse()


def named(tenant: str, job_id: str) -> bytes:
    """The first order to a child: which job is its own."""
    return f"{tenant:{LONGEST}}{job_id}".encode()


def obey(store: JobStore, settings: Settings, ends: Ends, *, own_processes: bool, on_host: bool = False) -> NoReturn:
    """Wait for a job and become it: run it, say its results or its failure, end.

    store: of any tenant; settings: as jobs know them;
    ends: the orders are what `named` says of the job, then GO, or they end;
    own_processes: this is in a PID namespace; on_host: it is to stay in the host's network.
    """
    orders, channel = ends.orders, ends.messages
    ours = _leave_supervisor(orders, channel, settings.max_processes if own_processes else None, on_host)
    if not select.select([orders], [], [], REST)[0]:
        rehearse(lambda job: Task.of(store, settings, job, lambda message: None, ours))
    name = heard(orders, LENGTH).decode()
    if not name:
        os._exit(0)
    code, path = 1, ""
    try:
        store = store.of(name[:LONGEST].rstrip())
        job = store.job(name[LONGEST:])
        path = job.path
        # before our rights are dropped
        task = Task.of(store, settings, job, lambda message: say(channel, message), ours)
        if not heard(orders, len(GO)):
            os._exit(0)
        orders.close()
        _settle(settings, job, task, own_processes=own_processes)
        os.environ.update(environment.through(ours.proxy))
        results = runners.runner(job.runner).run(task)
        say(channel, {"results": results})
        code = 0
    except Failed as error:
        say(channel, {"failure": error.failure})
    except (CorruptProcess, JobCorrupt) as error:
        say(channel, {"failure": {"cause": torn.CORRUPT, "message": str(error)}})
    except BaseException as error:
        with contextlib.suppress(Exception):
            failure = explain(error)  # in which the folders of the job and of the home mean nothing to anybody
            message = failure["message"].replace(f"{os.getcwd()}/", "").replace(f"{store.home}/", "")
            say(channel, {"failure": {**failure, "message": message}})
        if not isinstance(error, SystemExit | BadInput):
            traceback.print_exception(error.with_traceback(authors(error.__traceback__, path)))
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


def _leave_supervisor(orders: socket.socket, channel: int, processes: int | None, on_host: bool) -> WayOut:
    """Leave everything of the supervisor behind; nothing here takes a job.

    processes: that the PID namespace may hold; None when there is none. on_host: stay in the host's network.
    """
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    isolation.close_all_but([0, 1, 2, orders.fileno(), channel])
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if processes is not None:
        isolation.mount_own()
        isolation.limit_namespace(processes)
    leaves = processes is not None and not on_host and isolation.networks_allowed()
    ours = way_out.make(orders, apart=leaves and isolation.leave_network())
    isolation.leave_keyring()
    isolation.die_with_parent()
    os.umask(0o077)
    _reseed()
    return ours


def _settle(settings: Settings, job: Job, task: Task, *, own_processes: bool) -> None:
    """Take the place of the job: its log, its limits, its user, its directory. own_processes: as in obey."""
    work = task.work
    log = os.open(work.with_name("log"), os.O_WRONLY | os.O_APPEND)
    for target in (1, 2):
        os.dup2(log, target)
    os.close(log)
    older = _prepare(job, work)
    task.given.copy(work)
    isolation.expose_to_oom_killer()
    isolation.set_name(job.process_id)
    limits.bind(job.limits, _processes(settings, job, own_processes))
    if settings.job_user and os.geteuid() == 0:
        _become(settings.job_user, task)
        isolation.die_with_parent()
    _take_over(older, work)
    os.chdir(work)
    os.environ.update({"HOME": str(work), "TMPDIR": str(work)})
    _limit_threads(max(1, int(job.limits.cpus)))


def _processes(settings: Settings, job: Job, own: bool) -> int:
    """How many processes the user of the job may have; 0 where it is root, or somebody who has others here."""
    if os.geteuid() != 0:
        return job.limits.processes + 1 if own else 0  # counted anew in its user namespace, with the supervisor
    if own and 0 < job.limits.processes < settings.max_processes:
        isolation.limit_namespace(job.limits.processes)
    return settings.max_processes * settings.max_running if settings.job_user else 0


def _prepare(job: Job, work: Path) -> int | None:
    """Make what a job with steps needs beside its scratch: a folder for their logs. Open what it retries, if anything.

    The server alone can open that.
    """
    if job.runner == "python":
        return None
    os.mkdir(work.with_name(LOGS), 0o700)
    if job.retry_of is not None:
        older = work.parents[2] / job.retry_of[:7] / job.retry_of / KEPT / work.name
        with contextlib.suppress(OSError):  # removed meanwhile
            return os.open(older, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    return None


def _take_over(older: int | None, work: Path) -> None:
    """Link into the scratch what an older job had finished, with no more rights than that had: it may be hostile."""
    if older is not None:
        with contextlib.suppress(OSError, RecursionError):  # too much: it costs time only
            os.chdir(older)
            shutil.copytree(".", work / RETRIED, symlinks=True, copy_function=_link)
        os.close(older)


def _link(source: str, target: str) -> None:
    """The same file, or the same link."""
    os.link(source, target, follow_symlinks=False)


def _become(user: str, task: Task) -> None:
    """Drop from root to this user for good; only the working directory and the logs of steps are his."""
    entry = pwd.getpwnam(user)
    task.given.give(entry.pw_uid, entry.pw_gid)
    for folder in (task.work, task.logs):
        with contextlib.suppress(FileNotFoundError):  # of steps, in a job that has none
            os.chown(folder, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    isolation.become(user)


def _reseed() -> None:
    """A forked generator continues its parent's numbers, the same in every job. Python's own is new after a fork."""
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _limit_threads(count: int) -> None:
    """Let BLAS and OpenMP use what the job was given: the template froze them, and its environment, at one thread."""
    if count == 1:
        return
    os.environ.update(threads(count))
    if "numpy" in sys.modules:
        with contextlib.suppress(ImportError):
            from threadpoolctl import threadpool_limits

            threadpool_limits(count)
