"""What of a home is due to go, by the settings: finished jobs, uploads, packages and images that nothing needs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from geomill.app.config import Settings, known
from geomill.app.identity.audit import Audit, path_of
from geomill.app.tenant_names import DEPLOYED
from geomill.app.uploads.store import FOLDER as UPLOADS
from geomill.app.uploads.store import NoSuchUpload, Uploads
from geomill.jobstore import JobCorrupt, JobStore, NoSuchJob
from geomill.jobstore.files import read_json
from geomill.jobstore.retention import Due, Rules, carry_out, clock, due, weight
from geomill.processes import unused
from geomill.processes.deployed import RECORD, Deployed


@dataclass(frozen=True)
class Gone:
    """What went, or would. what: "job", "status", "upload", "package" or "image"; why: a sentence; size: bytes on disk.

    tenant: whose it was, "" for what is of all; rule: the setting that it went by, "" where there is none.
    """

    what: str
    name: str
    why: str
    size: int
    tenant: str = ""
    rule: str = ""


OPERATIONS = {
    "job": "expire",
    "status": "removeStatus",
    "upload": "expireUpload",
    "package": "removePackage",
    "image": "removeImage",
}
RULES = {"age": "keep", "disk": "keep_disk", "status": "keep_status", "upload": "keep_uploads"}
WHY = {
    "age": "ended longer ago than jobs are kept",
    "disk": "makes room on the disk",
    "status": "expired longer ago than statuses are kept",
    "upload": "was sent longer ago than uploads are kept",
}
NAMED = {"job": "job", "status": "job", "upload": "upload"}  # the member of an audit line that names it; else "name"
UNUSED = "nothing needs it any more"


def rules(settings: Settings) -> Rules:
    """How long jobs are kept."""
    return Rules(settings.keep, settings.keep_disk, settings.keep_status)


def collect(stores: Sequence[JobStore], settings: Settings, *, dry_run: bool = False) -> Iterator[Gone]:
    """Remove what is due of a home, and tell what, one after the other; dry_run: tell alone.

    Packages first: so those of a job that expires have an hour more, and a retry of this moment finds its own.
    Raises TimeoutError where somebody else does it.
    """
    start = time.time() - settings.keep
    if dry_run:
        yield from _contents(stores, settings, dry_run=True)
        yield from _uploads(stores, settings, dry_run=True)
        yield from map(_told, due(stores, rules(settings), clock(settings.home, start, note=False)))
        return
    with stores[0].locks.retention(0):
        yield from _contents(stores, settings, dry_run=False)
        yield from _uploads(stores, settings, dry_run=False)
        moment = clock(settings.home, start, note=True)
        yield from map(_told, filter(carry_out, due(stores, rules(settings), moment)))


def rules_in_words(settings: Settings) -> dict[str, str]:
    """What things go by: "keep = 30 d", by the names of the settings."""
    kinds = {each.name: each.metadata["kind"] for each in known() if each.name in RULES.values()}
    return {name: f"{name} = {kind.shown(getattr(settings, name))}" for name, kind in kinds.items()}


def audited(gone: Iterable[Gone], settings: Settings, **who: Any) -> Iterator[Gone]:
    """The same, each with a line in the audit log. who: who removes it."""
    audit, rules = Audit(path_of(settings)), rules_in_words(settings)
    for each in gone:
        rule = rules.get(each.rule, each.why)
        named: dict[str, Any] = {NAMED.get(each.what, "name"): each.name}
        audit.write(**who, operation=OPERATIONS[each.what], tenant=each.tenant, **named, rule=rule)
        yield each


def _told(each: Due) -> Gone:
    what = "status" if each.why == "status" else "job"
    return Gone(what, each.job_id, WHY[each.why], each.size, each.store.tenant, RULES[each.why])


def _contents(stores: Sequence[JobStore], settings: Settings, *, dry_run: bool) -> Iterator[Gone]:
    """Packages and images; none where a torn record leaves open what is needed."""
    folder, images = settings.home / "packages", settings.home / "images"
    with suppress(unused.Unknown):
        for what, path in (*_packages(stores, folder), *_images(folder, images)):
            size = weight(path)
            with suppress(OSError):
                if dry_run or unused.remove(path):
                    yield Gone(what, path.name, UNUSED, size)


def _uploads(stores: Sequence[JobStore], settings: Settings, *, dry_run: bool) -> Iterator[Gone]:
    """Uploads that have expired; jobs that were asked for in time hold what they need of them."""
    for store in stores:
        uploads = Uploads(store.home / store.tenant / UPLOADS, settings.keep_uploads)
        for upload in uploads.due():
            with suppress(OSError, NoSuchUpload):
                if not dry_run:
                    uploads.remove(upload.upload_id)
                yield Gone("upload", upload.upload_id, WHY["upload"], upload.size, store.tenant, RULES["upload"])
        if not dry_run:
            uploads.collect()


def _packages(stores: Sequence[JobStore], folder: Path) -> list[tuple[str, Path]]:
    """The deployed packages that no process has a version of, and no job needs. Raises Unknown."""
    tenants = [Deployed(store.home / store.tenant / DEPLOYED, folder) for store in stores]
    of_processes = unused.of_processes(tenants)
    found = [path for path in unused.packages(folder) if path.name not in of_processes]
    if found:
        of_jobs = {package for store in stores for package in _of_jobs(store)}
        found = [path for path in found if path.name not in of_jobs]
    return [("package", path) for path in found]


def _of_jobs(store: JobStore) -> Iterator[str]:
    """The packages of jobs that run, or can be shown or retried."""
    for job_id in store.walk():
        with suppress(NoSuchJob, JobCorrupt):
            expired = store.read_status(job_id).expired
            if expired is None or time.time() - expired.timestamp() < unused.GRACE:
                yield store.job(job_id).package


def _images(packages: Path, images: Path) -> list[tuple[str, Path]]:
    """What was unpacked of images that no package that is kept names. Raises Unknown."""
    found = [path for path in unused.resting(images) if path.name != "by-name"]
    if not found:
        return []
    needed = set()
    for reference in _references(packages):
        with suppress(OSError):
            needed.add(os.path.basename(os.readlink(images / "by-name" / quote(reference, safe=""))))
    return [("image", path) for path in found if path.name not in needed]


def _references(packages: Path) -> Iterator[str]:
    for record in packages.glob(f"[0-9a-f]*/{RECORD}"):
        try:
            for process in read_json(record)["processes"]:
                yield from (image["reference"] for image in process.get("needs", {}).get("images", ()))
        except FileNotFoundError:
            continue
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise unused.Unknown(f"{record} is torn") from error
