"""The server at this moment, for who runs it: what waits and runs, what fails, what is left, what there is."""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from geomill.app import health, host, links, tenant_names
from geomill.app.config import Settings
from geomill.app.engine.client import Engine
from geomill.app.engine.runtime import LOG
from geomill.app.server import Geomill
from geomill.app.tenancy import Tenant
from geomill.app.tenant_names import DEFAULT
from geomill.jobstore import Status, overview
from geomill.jobstore.records import timestamp

RECENT = 86400.0  # seconds in which a failure is a recent one
MOST_FAILURES = 1000  # jobs that are counted
MOST_TENANTS = 50
KEPT = 60  # seconds for which is believed what a host allows
PATIENCE = 2.0  # seconds to hear of it

Json = dict[str, Any]


def document(app: Geomill, names: list[str], *, whole: bool) -> Json:
    """All of it. names: of the tenants that are shown; whole: with what is the host's and everybody's."""
    settings, default = app.settings, app.tenants.default
    found = health.look(settings, default.engine)
    tenants = {name: app.tenants.get(name) for name in names[:MOST_TENANTS]}
    queue = [each for tenant in tenants.values() for each in _unfinished(tenant)]
    shown: Json = {
        "time": timestamp(datetime.now(UTC)),
        "troubles": found.troubles,
        "maintenance": vars(found.maintenance) if found.maintenance else None,
        "dispatcher": _dispatcher(found),
        "running": [_group(each) for each in queue if each.status is Status.RUNNING],
        "accepted": [_group(each) for each in queue if each.status is Status.ACCEPTED],
        "failures": [_failures(each) for tenant in tenants.values() for each in failures(tenant)],
        "tenants": names,
    }
    if whole:
        shown["dispatcher"]["log"] = str(settings.runtime_dir / LOG)
        shown |= {
            "limits": limits(settings, queue, found.said),
            "disk": disk(settings, found),
            **(isolation(default.engine) if found.state == "answers" else {}),
            "versions": _versions(),
            "broken": [{"name": str(each.path), "note": each.reason} for each in default.processes.broken()],
        }
    return shown


def names_of(app: Geomill, tenants: frozenset[str] | None, here: str) -> list[str]:
    """The tenants that an admin sees. tenants: where he is one, None for everywhere; here: the one he asks in."""
    if tenants is not None:
        return [here]
    at_work = tenant_names.at_work(app.settings.home)
    return [DEFAULT, *sorted({*at_work, *app.settings.tenants} - {DEFAULT})]


def failures(tenant: Tenant) -> list[overview.Failures]:
    """The recent failures of a tenant by cause and process, most first."""
    try:
        return overview.failed(tenant.jobs, RECENT, MOST_FAILURES)
    except sqlite3.Error:  # the next look makes it anew
        return []


def limits(settings: Settings, queue: Sequence[overview.Group], said: Json) -> list[Json]:
    """The limits on all jobs together, and how much of each is in use; None where nobody can tell.

    said: by the dispatcher.
    """
    counts, owners = Counter[Status](), Counter[tuple[Status, str, str]]()
    for each in queue:
        counts[each.status] += each.count
        owners[each.status, each.tenant, each.owner] += each.count
    most = {state: max((n for key, n in owners.items() if key[0] is state), default=0) for state in counts}
    used = {
        "max_running": counts[Status.RUNNING],
        "max_running_per_caller": most.get(Status.RUNNING, 0),
        "max_queued": counts[Status.ACCEPTED],
        "max_queued_per_caller": most.get(Status.ACCEPTED, 0),
        "memory": said.get("memory"),
    }
    return [{"name": name, "limit": getattr(settings, name), "used": each} for name, each in used.items()]


def disk(settings: Settings, found: health.Health) -> Json:
    """Where jobs are kept, and what is left there."""
    there = os.statvfs(settings.home)
    return {
        "home": str(settings.home),
        "runtimeDir": str(settings.runtime_dir),
        "size": there.f_blocks * there.f_frsize,
        "free": found.space,
        "least": settings.min_free_bytes,
        "inodes": there.f_files,
        "freeInodes": found.inodes if there.f_files else None,
        "leastInodes": settings.min_free_inodes,
        "readOnly": bool(there.f_flag & os.ST_RDONLY),
        "expiresAbove": settings.keep_disk,
    }


def isolation(engine: Engine) -> Json:
    """What keeps jobs and tools of packages apart; nothing where the dispatcher, which tries it, does not say."""
    with suppress(LookupError):
        return _isolation(engine, int(time.monotonic() / KEPT))
    return {}


@functools.lru_cache(maxsize=2)
def _isolation(engine: Engine, period: int) -> Json:
    """Raises LookupError, which is not kept."""
    allowed = engine.ask({"op": "host"}, PATIENCE)
    if allowed is None:
        raise LookupError
    settings = engine.settings
    return {
        "isolation": _rows(host.isolation(settings, allowed)),
        "isolationOfTools": _rows(host.sandboxes(settings, allowed)),
    }


@functools.cache
def _versions() -> list[Json]:
    """What this process began with."""
    return _rows(host.versions())


def _unfinished(tenant: Tenant) -> list[overview.Group]:
    try:
        return [*overview.unfinished(tenant.jobs, Status.RUNNING), *overview.unfinished(tenant.jobs, Status.ACCEPTED)]
    except sqlite3.Error:
        return []


def _dispatcher(found: health.Health) -> Json:
    told = {name: found.said.get(name) for name in ("pid", "since", "running", "queued", "templates")}
    return {"state": found.state, **told}


def _group(each: overview.Group) -> Json:
    told = {"tenant": each.tenant, "processID": each.process_id, "owner": each.owner, "count": each.count}
    about = {"status": each.status.value, "processID": each.process_id}
    return {
        **told,
        "since": timestamp(each.since),
        "href": links.of_query(links.in_tenant(each.tenant, "/jobs"), about),
    }


def _failures(each: overview.Failures) -> Json:
    about = {"status": Status.FAILED.value, "processID": each.process_id}
    return {
        "tenant": each.tenant,
        "cause": each.cause,
        "processID": each.process_id,
        "count": each.count,
        "latest": timestamp(each.latest.finished or each.latest.created),
        "message": each.latest.message,
        "jobID": each.latest.job_id,
        "href": links.of_query(links.in_tenant(each.tenant, "/jobs"), about),
    }


def _rows(rows: Iterable[tuple[str, ...]]) -> list[Json]:
    return [dict(zip(("name", "value", "note", "help"), row, strict=False)) for row in rows]
