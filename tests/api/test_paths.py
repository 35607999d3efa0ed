"""No address leads to a file that is not one of the job's results, however it is spelled, and whatever lies there."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from api.conftest import trying
from support.mills import Mill

from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens

SECRET = b"the-canary-sings"
PAGE = "x" * len(SECRET)


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A server with secrets around its jobs: what is there, and nobody is to read."""
    root = tmp_path_factory.mktemp("mill")
    with trying(root, tenants="acme", anonymous="executor") as mill:
        home = mill.settings.home
        for folder in (root, home, home / "default", home / "default/jobs"):
            for name in ("Canary", "Canary.json", "Canary.log"):
                (folder / name).write_bytes(SECRET)
        Tokens(home).create("ann", Role.ADMIN, None, None)
        yield mill


@pytest.fixture(scope="module")
def job(mill: Mill) -> str:
    """A job with a file among its results."""
    job_id = mill.submit("page", text=PAGE)
    assert mill.ended(job_id).status.value == "successful"
    (mill.store.folder(job_id) / "logs").mkdir()
    (mill.store.folder(job_id) / "Canary").write_bytes(SECRET)
    return job_id


def ask(mill: Mill, method: str, path: str, **headers: str) -> tuple[int, str, bytes]:
    """Status, media type and body of the answer to a path that nobody tidies on its way."""
    parts = urlsplit(mill.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    try:
        reply = connection.getresponse()
        return reply.status, reply.getheader("Content-Type", ""), reply.read()
    finally:
        connection.close()


WAYS = [
    "..", "../..", "%2e%2e", "%2e%2e/%2e%2e", "..%2f..%2f..%2fCanary", "..%2fCanary", "%2e%2e%2f%2e%2e%2fCanary",
    "..%5c..%5cCanary", "%252e%252e%252fCanary", "%25252e%25252e%25252fCanary", "..%c0%afCanary",
    "%c0%ae%c0%ae%c0%afCanary", "..%ef%bc%8fCanary", "....//....//Canary", "..;/Canary", "%00", "Canary%00.txt",
    "page.html%00", "%0a", "%ff", "%2fetc%2fpasswd", "//etc/passwd", "/etc/passwd", "%2fproc%2fself%2fenviron",
    "file:%2f%2f%2fetc%2fpasswd", "Canary", "../Canary", "Canary.json", "outputs/../Canary", "./Canary",
    "request.json", "..%2frequest.json", "~root", ".", "%2e", "*", "CON", "a" * 300, "%f0%9f%90%8a" * 100,
    "..%2f" * 300, "-", "%20",
]  # fmt: skip
ROUTES = [
    "/jobs/{way}", "/jobs/{way}/results", "/jobs/{way}/logs", "/jobs/{way}/events", "/jobs/{way}/prov",
    "/jobs/{job}/{way}", "/jobs/{job}/files/{way}", "/jobs/{job}/results/{way}", "/jobs/{job}/results/{way}/0",
    "/jobs/{job}/results/result/{way}", "/jobs/{job}/logs/{way}", "/jobs/{job}/logs/{way}.log", "/processes/{way}",
    "/processes/{way}/package", "/processes/{way}/versions", "/problems/{way}", "/{way}/ogc-api/jobs/{job}",
    "/{way}/ogc-api/processes/{way}/package", "/temp/{way}-{job}/{way}.log", "/acme/ogc-api/jobs/{job}/files/{way}",
    "/static/{way}", "/{way}",
]  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_no_way_leads_out_of_the_results_of_a_job(mill: Mill, job: str, route: str) -> None:
    for way in WAYS:
        path = route.format(way=way, job=job)
        status, media_type, body = ask(mill, "GET", path)
        assert SECRET not in body and b"root:" not in body, path
        if status < 400:  # a way that leads nowhere else than the path without it
            assert way.strip("/") in (".", "", "..") or way == "*", (path, status)
        else:
            assert status < 500 and media_type.startswith("application/json"), (path, status, body)
            assert json.loads(body)["status"] == status


CHANGED = ["/processes/{way}", "/jobs/{way}", "/processes/{way}/execution", "/{way}/ogc-api/processes"]


@pytest.mark.parametrize("route", CHANGED)
@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST"])
def test_no_way_leads_to_a_change_elsewhere(mill: Mill, route: str, method: str) -> None:
    token = Tokens(mill.settings.home).create(f"{method}{CHANGED.index(route)}", Role.ADMIN, None, None)
    home = mill.settings.home
    before = {path.name for path in (*home.parent.iterdir(), *home.iterdir(), *(home / "default/processes").glob("*"))}
    for way in WAYS:
        headers = {"Authorization": f"Bearer {token}", "Content-Length": "0", "Content-Type": "application/cwl"}
        status, _, body = ask(mill, method, route.format(way=way), **headers)
        assert 400 <= status < 500, (way, status, body)
    after = {path.name for path in (*home.parent.iterdir(), *home.iterdir(), *(home / "default/processes").glob("*"))}
    assert before <= after and after - before <= {"packages", "retention.json"}  # which the server makes by itself
    assert (home / "Canary").read_bytes() == SECRET


def test_the_ways_would_lead_somewhere(mill: Mill, job: str) -> None:
    """As long as that is so, the tests above tell something."""
    assert ask(mill, "GET", f"/jobs/{job}/files/page.html")[::2] == (200, PAGE.encode())
    assert ask(mill, "GET", f"/jobs/{job}/files/pa%67e.html")[::2] == (200, PAGE.encode())
    assert (mill.store.folder(job) / "outputs/../../../Canary").read_bytes() == SECRET


PLACED: dict[str, Callable[[Path, Path], object]] = {
    "a link out": lambda path, secret: path.symlink_to(secret),
    "a relative link out": lambda path, secret: path.symlink_to(os.path.relpath(secret, path.parent)),
    "a link to the request": lambda path, secret: path.symlink_to("../request.json"),
    "a link to itself": lambda path, secret: path.symlink_to(path.name),
    "a link to a device": lambda path, secret: path.symlink_to("/dev/zero"),
    "a pipe": lambda path, secret: os.mkfifo(path),
    "a folder": lambda path, secret: path.mkdir(),
    "a socket": lambda path, secret: os.mknod(path, stat.S_IFSOCK | 0o600),
    "nothing": lambda path, secret: None,
    "a file of another size": lambda path, secret: path.write_bytes(b""),
}  # fmt: skip


@pytest.mark.parametrize("case", [*PLACED, "a folder that is a link"])
def test_what_was_put_in_the_place_of_a_result_is_not_served(mill: Mill, case: str) -> None:
    job_id, other = mill.submit("page", text=PAGE), mill.submit("page", text=SECRET.decode())
    for each in (job_id, other):
        assert mill.ended(each).status.value == "successful"
    outputs = mill.store.folder(job_id) / "outputs"
    secret = mill.store.folder(other) / "outputs/page.html"  # of the very same size
    if case == "a folder that is a link":
        shutil.rmtree(outputs)
        outputs.symlink_to(secret.parent)
    else:
        (outputs / "page.html").unlink()
        PLACED[case](outputs / "page.html", secret)
    for path in ("files/page.html", "results/result", "results", "ro-crate.zip"):
        for headers in ({}, {"Prefer": "return=representation"}, {"Range": "bytes=0-3"}):
            status, media_type, body = ask(mill, "GET", f"/jobs/{job_id}/{path}", **headers)
            assert SECRET not in body and SECRET[:4] != body[:4], path
            assert status in (200, 503) and (status == 503 or path in ("results", "ro-crate.zip")), (path, status)
