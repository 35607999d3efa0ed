"""Whom the files of a home are for: its server, whatever the umask; results for a group, too, where that is set."""

from __future__ import annotations

import grp
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.mills import Mill, serving
from support.others import open_to_others
from support.variants import thorough

from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = 65534
GROUP = "daemon"  # of every host


@contextmanager
def umask(mode: int) -> Iterator[None]:
    before = os.umask(mode)
    try:
        yield
    finally:
        os.umask(before)


def work(mill: Mill) -> str:
    """Have a home with something of every kind in it; the job with a file among its results."""
    job_id = mill.submit("large", megabytes=0)
    written = mill.submit("write")
    reply = mill.call("POST", "/processes/nap/execution", {}, Prefer="respond-async", Idempotency_Key="once")
    for each in (job_id, written, reply.json()["jobID"]):
        assert mill.ended(each).status.value == "successful"
    other = mill.of("acme")
    other.ended(other.submit("nap"))
    Tokens(mill.settings.home).create("ann", Role.ADMIN, None, None)
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 401  # which is in the audit log
    return written


@pytest.mark.parametrize("mode", [0, thorough(0o022), thorough(0o077)])
def test_a_home_is_for_its_server_alone_whatever_the_umask(settings: Settings, mode: int) -> None:
    with umask(mode), serving(settings, new=True, tenants="acme") as mill:
        work(mill)
        found = [settings.home, *settings.home.rglob("*")]
        files = {path: stat.S_IMODE(path.lstat().st_mode) for path in found if path.is_file() and not path.is_symlink()}
        folders = {path: stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir() and not path.is_symlink()}
    names = {path.name for path in files}
    assert names >= {"request.json", "results.json", "tokens.json", "audit.jsonl", "log", "a.txt"}
    assert {path: oct(mode) for path, mode in files.items() if mode != 0o600} == {}
    assert {path: oct(mode) for path, mode in folders.items() if mode not in (0o700, 0o711)} == {}
    assert folders[settings.home / "default/jobs"] == 0o711  # which the job_user passes
    assert stat.S_IMODE(settings.runtime_dir.stat().st_mode) == 0o700


def can(command: str, path: Path, *groups: int) -> bool:
    """Whether somebody without rights, in these groups besides his own, can do this to a path."""
    done = subprocess.run([command, path], user=NOBODY, group=NOBODY, extra_groups=groups, capture_output=True)
    return done.returncode == 0


@as_root
@pytest.mark.thorough
def test_a_group_may_read_the_results_and_nothing_else(settings: Settings) -> None:
    open_to_others(settings.home.parent)
    member = grp.getgrnam(GROUP).gr_gid
    with umask(0o077), serving(settings, new=True, tenants="acme", outputs_group=GROUP) as mill:
        folder = mill.store.folder(work(mill))
        readable = [folder / "results.json", folder / "outputs/a.txt"]
        assert [can("cat", path, member) for path in readable] == [True, True]
        assert [can("cat", path) for path in readable] == [False, False]
        assert can("ls", folder / "outputs", member) and not can("ls", folder / "outputs")
        rest = [path for path in settings.home.rglob("*") if path not in readable and path.parent != folder / "outputs"]
        of_results = {path for path in rest if path.name == "results.json"}  # of the other jobs
        assert all(can("cat", path, member) for path in of_results) and of_results
        closed = [path for path in rest if path.is_file() and path not in of_results]
        assert {path.name for path in closed} >= {"request.json", "status.json", "log", "tokens.json", "audit.jsonl"}
        assert [path for path in closed if can("cat", path, member)] == []
        folders = [path for path in (settings.home, *rest) if path.is_dir() and path != folder / "outputs"]
        assert [path for path in folders if can("ls", path, member)] == []
        assert not can("cat", settings.runtime_dir / "dispatcher.log", member)


@as_root
def test_what_a_job_user_made_is_given_to_the_group(settings: Settings) -> None:
    open_to_others(settings.home.parent)
    with serving(settings, outputs_group=GROUP, job_user="nobody", processes=str(_passable(settings))) as mill:
        job_id = mill.submit("write")
        assert mill.ended(job_id).status.value == "successful", mill.status(job_id)
        found = (mill.store.folder(job_id) / "outputs/a.txt").stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, grp.getgrnam(GROUP).gr_gid, 0o640)


def _passable(settings: Settings) -> Path:
    folder = settings.home.parent / "files"
    folder.mkdir()
    (folder / "life.py").write_text((settings.processes[0] / "life.py").read_text())
    return folder
