"""Warm processes that supervisors are forked from: the libraries are in memory before the job is.

A template is forked from the dispatcher while that is free of libraries, imports what its jobs need, and then only
forks. It never runs a user's code, and has no thread.

It keeps a spare: a supervisor that has forked its child and waits for a job. Most of the time that a job took to begin
went into what these two do first, half of it into copying pages after the forks; that is done while nobody waits. A
template that was loaded in case somebody needs it keeps none until somebody does.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import logging
import os
import select
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from geomill.app import garbage, immortal
from geomill.app.config import Settings
from geomill.app.egress import environment
from geomill.app.engine import ends, holes, isolation, mapped, reaper
from geomill.app.engine.child import obey
from geomill.app.engine.messages import heard
from geomill.app.engine.stores import Stores
from geomill.app.engine.supervisor import MESSAGE, rehearse, supervise
from geomill.app.engine.viewer import view
from geomill.jobstore import JobStore
from geomill.jobstore.alive import boot_id
from geomill.processes.packages import threads

# what each template has in memory; a library that is not installed is left out
LIBRARIES: dict[str, tuple[str, ...]] = {
    "base": ("geomill.app.runners.python",),
    "cwl": ("geomill.app.runners.cwl",),
    "geo": (
        "geomill.app.runners.python",
        *("numpy", "numpy.random", "rasterio", "rasterio.warp", "rasterio.features"),
        *("shapely", "pyproj", "skimage.filters", "geomill.app.pictures.drawing", "geomill.app.pictures.pixels"),
    ),
}
_BREATH = 5  # milliseconds from a start to the next spare, which is not to take the processor from that job
log = logging.getLogger(__name__)
_QUEUE = 4 * 1024 * 1024  # bytes of kernel memory: thousands of starts may wait while the libraries are loaded


class Template:
    """The dispatcher's end of one template process."""

    def __init__(self, name: str, store: JobStore, settings: Settings) -> None:
        """Fork it; no index may be open. name: a key of LIBRARIES; store: of any tenant."""
        self.name, self.born = name, time.monotonic()
        self.socket, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _QUEUE)
        dispatcher = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            isolation.die_with_parent()  # it does not look at the link while it loads libraries, for seconds
            if os.getppid() != dispatcher:
                os._exit(0)
            _guarded(lambda: _serve(name, inside, store.unindexed(), settings))
        inside.close()
        self.socket.setblocking(False)

    def start(self, tenant: str, job_id: str) -> None:
        """Ask for a supervisor of this job; the answer comes by `socket`. Raises OSError when the template is gone."""
        self.socket.send(json.dumps([tenant, job_id]).encode())

    def view(self, order: dict[str, Any]) -> None:
        """Ask for a viewer; its answer comes by `socket`. Raises OSError as `start` does, and for too long an order."""
        content = json.dumps(order).encode()
        if len(content) > MESSAGE:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        self.socket.send(content)

    def answer(self) -> list[Any] | dict[str, Any] | None:
        """[job, pid, start time] of a supervisor that began, the answer of a viewer, None: the template has ended."""
        content = self.socket.recv(MESSAGE)
        return cast("list[Any] | dict[str, Any]", json.loads(content)) if content else None


class Templates:
    """The templates that the dispatcher has now, each forked when it is first wanted."""

    def __init__(
        self, selector: selectors.BaseSelector, stores: Stores, settings: Settings,
        started: Callable[[str, int, int], None], ended: Callable[[str], None],
        viewed: Callable[[dict[str, Any]], None],
    ) -> None:  # fmt: skip
        """started: called with (job, pid, start time) of a supervisor that began; ended: with the name of who went;
        viewed: with the answer of a viewer.
        """
        self._selector, self._stores, self._settings = selector, stores, settings
        self._when_started, self._when_ended, self._when_viewed = started, ended, viewed
        self._templates: dict[str, Template] = {}

    def names(self) -> list[str]:
        """Which there are."""
        return sorted(self._templates)

    def pids(self) -> set[int]:
        """Their processes."""
        return {template.pid for template in self._templates.values()}

    def want(self, name: str) -> Template:
        """The template of this name, forked if need be. Raises OSError where none can be."""
        if name not in self._templates:
            self._stores.close_indexes()
            template = self._templates[name] = Template(name, self._stores.default, self._settings)
            self._selector.register(template.socket, selectors.EVENT_READ, lambda: self._listen(name))
        return self._templates[name]

    def want_another(self) -> None:
        """Fork one that a job may want, while there is time."""
        if "geo" not in self._templates:
            self.want("geo")
        elif "cwl" not in self._templates and any(self._settings.home.glob("*/processes/*.json")):
            self.want("cwl")

    def remove(self, name: str) -> Template | None:
        """Listen to a template no longer; the one that it was."""
        template = self._templates.pop(name, None)
        if template is not None:
            log.warning("the template %s, process %d, is lost; another comes when it is wanted", name, template.pid)
            self._selector.unregister(template.socket)
            template.socket.close()
        return template

    def _listen(self, name: str) -> None:
        if name not in self._templates:
            return
        try:
            answer = self._templates[name].answer()
        except BlockingIOError:
            return
        except OSError:
            answer = None
        if answer is None:
            self._when_ended(name)
        elif isinstance(answer, dict):
            self._when_viewed(answer)
        else:
            self._when_started(*answer)


def _serve(name: str, link: socket.socket, store: JobStore, settings: Settings) -> None:
    """Be a template until the dispatcher is gone."""
    isolation.close_all_but([0, 1, 2, link.fileno()])
    isolation.set_name(f"geomill-{name}")
    signal.set_wakeup_fd(-1)
    known = settings.known_to_jobs()
    before = isolation.descriptors()
    with garbage.put_off():
        preload(name)  # which may ask other programs, and wait for them
        rehearse(store)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dispatcher watches supervisors by pidfd; nobody need reap them
    isolation.keep_for_libraries(isolation.descriptors() - before)
    immortal.make_all(values=True)
    holes.fill()
    mapped.let_go()
    _open_streams()
    asked = select.poll()
    asked.register(link, select.POLLIN)
    spare, used = None, name == "base"  # which no server does without
    while True:
        if used and spare is None and not asked.poll(_BREATH):
            spare = _Spare(store, settings, known)
        message = heard(link, MESSAGE)
        if not message:
            return
        order = json.loads(message)
        if isinstance(order, dict):
            _fork_viewer(order, link, store, settings)
            continue
        tenant, job_id = order
        used = True
        if spare is None or not spare.take(tenant, job_id):
            spare = _Spare(store, settings, known)
            spare.take(tenant, job_id)
        with contextlib.suppress(ConnectionError):  # there is a dispatcher no more, which the next message says
            link.send(json.dumps([job_id, spare.pid, spare.start_time]).encode())
        spare = None


def _open_streams() -> None:
    """What a job prints goes into its log line by line.

    They are none of what lasts: a job may put others in their place, and what it had not ended is written then.
    """
    for stream, mode in ((1, "stdout"), (2, "stderr")):
        setattr(sys, mode, os.fdopen(stream, "w", buffering=1, encoding="utf-8", errors="backslashreplace"))


def _fork_viewer(order: dict[str, Any], link: socket.socket, store: JobStore, settings: Settings) -> None:
    """Let a child do it, in a PID namespace of its own where there can be one."""
    with contextlib.suppress(OSError):  # no process is to be had; whoever waits gives up
        if isolation.fork_into_namespace().pid == 0:
            _guarded(lambda: view(order, link, store, settings))


class _Spare:
    """The template's end of a supervisor that has no job yet, and leaves when this end is closed: with the template."""

    def __init__(self, store: JobStore, settings: Settings, known: Settings) -> None:
        """Fork it. known: the settings as jobs know them."""
        self._link, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours, theirs = ends.both()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        self.pid, contained, inner = isolation.fork_into_namespace(twice=True)
        if inner == 0:
            _guarded(lambda: obey(store, known, theirs, own_processes=contained))
        if inner is not None:
            theirs.close()
            _guarded(lambda: supervise(store, settings, inside, ours, inner, contained=contained))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for end in (inside, ours, theirs):
            end.close()
        self.start_time = reaper.start_time(self.pid) or 0

    def take(self, tenant: str, job_id: str) -> bool:
        """Let it be the supervisor of this job; False when somebody has ended it."""
        with self._link, contextlib.suppress(OSError):
            self._link.send(json.dumps([tenant, job_id, self.pid, self.start_time]).encode())
            return True
        return False


def preload(name: str) -> None:
    """Import a template's libraries, and what every job needs."""
    boot_id()
    isolation.networks_allowed()
    isolation.namespaces_have_limits()
    os.environ.update(threads(1))  # a forked process would inherit locks of others
    os.environ.update(environment.trusting(environment.certificates()))
    for library in LIBRARIES[name]:
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    importlib.import_module("geomill.app.engine.child").warm_up()


def _guarded(run: Callable[[], object]) -> None:
    """The whole life of a forked process: it never returns into its parent's code."""
    code, _kept = 1, None
    try:
        _kept = run()
        code = 0
    except BaseException:
        log.exception("%s ends by an error", Path("/proc/self/comm").read_text().strip())
    finally:
        os._exit(code)
