"""The job child: the process in which a user's code runs. It gets a working directory, a log, a pipe, and no more."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from geomill.app.config import Settings
from geomill.app.engine import isolation
from geomill.app.engine.messages import say
from geomill.app.runners import RUNNERS, Failed, Task
from geomill.jobstore import Job, JobStore
from geomill.processes import BadInput
from geomill.processes.call import authors, explain

CAUSES = ("exception", "exit", "bad-input", "disk-full")  # that a child may name for its failure
# what of the dispatcher's environment, itself scrubbed, describes the machine and not somebody's session
_SESSION = ("HOME", "TMPDIR", "USER", "LOGNAME")


def warm_up() -> None:
    """Import, in a template, what every job is going to need."""
    for runner in RUNNERS.values():
        runner.warm_up()


def main(
    store: JobStore, settings: Settings, job: Job, log: int, channel: int, *, own_processes: bool
) -> NoReturn:
    """Become the job: run it, say its results or its failure, end. own_processes: it is in a PID namespace."""
    code = 1
    try:
        folder = store.folder(job.job_id)
        task = Task.of(store, settings, job, lambda message: say(channel, message))  # before our rights are dropped
        if own_processes:
            isolation.mount_proc()
        _settle(settings, job, folder / "work", log, channel)
        results = RUNNERS[job.runner].run(task)
        say(channel, {"results": results})
        code = 0
    except Failed as error:
        say(channel, {"failure": error.failure})
    except BaseException as error:
        with contextlib.suppress(Exception):
            say(channel, {"failure": explain(error)})
        if not isinstance(error, SystemExit | BadInput):
            traceback.print_exception(error.with_traceback(authors(error.__traceback__, job.path)))
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _settle(settings: Settings, job: Job, work: Path, log: int, channel: int) -> None:
    """Leave everything of the supervisor behind."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
    isolation.close_all_but([0, 1, 2, channel])
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    isolation.expose_to_oom_killer()
    isolation.set_name(job.process_id)
    if settings.job_user and os.geteuid() == 0:
        _become(settings.job_user, work)
    isolation.die_with_parent()
    os.umask(0o077)
    os.chdir(work)
    for name in _SESSION:
        os.environ.pop(name, None)
    os.environ.update(HOME=str(work), TMPDIR=str(work))
    _reseed()
    _limit_threads(max(1, int(job.limits.cpus)))
    for stream, mode in ((1, "stdout"), (2, "stderr")):
        setattr(sys, mode, os.fdopen(stream, "w", buffering=1, encoding="utf-8", errors="backslashreplace"))


def _become(user: str, work: Path) -> None:
    """Drop from root to this user for good; only the working directory is his."""
    entry = pwd.getpwnam(user)
    os.chown(work, entry.pw_uid, entry.pw_gid)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _reseed() -> None:
    """A forked generator continues its parent's numbers, the same in every job."""
    import random

    random.seed()
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
