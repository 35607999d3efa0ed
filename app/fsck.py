"""Whether a home keeps its promises: jobs, what was deployed, packages, and the small files that a home has beside."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from geomill.app import tenant_names
from geomill.app.callbacks.signing import KEY as CALLBACKS_KEY
from geomill.app.credentials import FILE as CREDENTIALS
from geomill.app.credentials import CredentialError, Credentials
from geomill.app.identity.own_key import BYTES
from geomill.app.identity.sessions import SESSION_KEY
from geomill.app.identity.tokens import FOLDER, TokenError, Tokens
from geomill.app.tenant_names import DEPLOYED
from geomill.app.uploads.store import FOLDER as UPLOADS
from geomill.app.uploads.store import Uploads, is_abandoned
from geomill.jobstore import JobStore, files
from geomill.jobstore.folders import NEW, OLD
from geomill.jobstore.fsck import WHOLE, Finding, check, removing, settled
from geomill.processes.deployed import RECEIVED, Deployed, is_whole
from geomill.processes.records import CorruptProcess, NoSuchProcess

KEPT = "A process that was deployed is there, whole, until it is undeployed."
RECEIVED_WHOLE = "An upload is what was received."
NAMED = "A package is what its name says."
KNOWN = "Who was known is known, and what was set is set."
_DIGEST = re.compile(r"[0-9a-f]{64}")
REMEDY_OF_PACKAGE = "restore it from a backup, or deploy anew (PUT) the processes that have it"
MARKS = {
    "retention.json": "remove it: the time of retention begins anew, with the host's clock",
    "maintenance": "geomill drain, or geomill drain --off, writes it anew or removes it",
}
_LEFT = (".new-", ".fetched-", ".backup-", ".clock-", ".old-")  # how what is being made, or removed, is called


def check_home(store: JobStore) -> list[Finding]:
    """What is wrong with a home; it may be in use meanwhile. store: of any of its tenants."""
    packages = store.home / "packages"
    findings = [*_left(store.home), *_of_home(store.home)]
    for name in tenant_names.at_work(store.home):
        findings += check(store.of(name))
        findings += _processes(Deployed(store.home / name / DEPLOYED, packages), name)
        findings += _credentials(store.home / name / CREDENTIALS)
        findings += _uploads(store.home / name / UPLOADS)
    return [*findings, *_packages(packages)]


def _of_home(home: Path) -> Iterator[Finding]:
    """What is known of callers, and the marks. None of them is mended: what they said, nobody else knows."""
    tokens = Tokens(home)
    try:
        tokens.check()
    except TokenError as error:
        found, remedy = str(error).partition("; ")[::2]
        yield Finding(tokens.path, KNOWN, found.removeprefix(f"{tokens.path} "), remedy=remedy)
    for name, after in ((SESSION_KEY, "people log in again"), (CALLBACKS_KEY, "the secrets of callbacks change")):
        key = home / FOLDER / name
        if key.exists() and key.stat().st_size != BYTES:
            yield Finding(key, KNOWN, f"is no key of {BYTES} bytes", remedy=f"remove it: {after}")
    for mark, remedy in MARKS.items():
        try:
            if not isinstance(files.read_json(home / mark), dict):
                raise ValueError
        except FileNotFoundError:
            continue
        except ValueError:
            yield Finding(home / mark, WHOLE, "is torn", remedy=remedy)


def _credentials(path: Path) -> Iterator[Finding]:
    try:
        Credentials(path).all()
    except CredentialError as error:
        remedy = "restore it from a backup, or remove it and add what was in it (geomill credential add)"
        yield Finding(path, KNOWN, f"none of its credentials is used: {error}", remedy=remedy)


def _uploads(folder: Path) -> Iterator[Finding]:
    """What is half made, or torn. An upload that cannot be read is of no use to anybody."""
    for name in _names(folder):
        half = name.startswith(OLD) or (name.startswith(NEW) and is_abandoned(folder / name))
        if half:
            yield Finding(folder / name, WHOLE, "was left half made", mend=removing(folder / name))
    for path in Uploads(folder, 0).torn():
        yield Finding(path, RECEIVED_WHOLE, "cannot be read", what=f"upload {path.name}", mend=removing(path))


def _processes(deployed: Deployed, tenant: str) -> Iterator[Finding]:
    """Records that cannot be read, and versions without their package; a replacement mends both."""
    yield from _left(deployed.folder)
    for process_id in deployed.ids():
        path = deployed.folder / f"{process_id}.json"
        what = f"process {process_id} ({tenant})"
        remedy = f"restore {path} from a backup, or replace the process (PUT), or undeploy it (DELETE)"
        try:
            versions = deployed.versions(process_id)
        except NoSuchProcess:
            continue
        except CorruptProcess as error:
            yield Finding(path, KEPT, str(error), what=what, remedy=remedy)
            continue
        for version in {each.package: each for each in versions}.values():
            package = deployed.packages / version.package
            if not is_whole(package) and path.exists():
                current = "the process" if version is versions[-1] else "an earlier version of it"
                text = f"package {version.package} of {current} is missing or torn"
                yield Finding(path, KEPT, text, what=what, remedy=remedy.replace(str(path), str(package)))


def _packages(folder: Path) -> Iterator[Finding]:
    yield from _left(folder)
    for name in _names(folder):
        package = folder / name
        if not _DIGEST.fullmatch(name):
            if not name.startswith("."):
                yield Finding(package, NAMED, "is no package")
        elif (package / RECEIVED).exists():
            if not is_whole(package):
                yield Finding(package, NAMED, "its content has another digest", remedy=REMEDY_OF_PACKAGE)
        else:
            yield from _dropped_in(package)


def _dropped_in(package: Path) -> Iterator[Finding]:
    """A process file as it was found, and how it was described; the server makes both anew where the file still is."""
    yield from _left(package)
    try:
        if hashlib.sha256((package / "package.py").read_bytes()).hexdigest() != package.name:
            remedy = "the server mends it when it looks at the file again, if that is still there; else remove it"
            yield Finding(package, NAMED, "its content has another digest", remedy=remedy)
    except FileNotFoundError:
        if settled(package):
            yield Finding(package, NAMED, "holds nothing that could run")
    for path in package.glob("[0-9a-f]*.json"):
        try:
            json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            yield Finding(path, WHOLE, "is torn", mend=removing(path))
        except FileNotFoundError:
            pass


def _left(folder: Path) -> Iterator[Finding]:
    for name in _names(folder):
        if name.startswith(_LEFT) and settled(folder / name):
            yield Finding(folder / name, WHOLE, "was left half made", mend=removing(folder / name))


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
