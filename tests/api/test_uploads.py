"""Files that callers send to be inputs: received whole or not at all, their owner's alone, and given to his jobs."""

from __future__ import annotations

import io
import json
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from api.conftest import CheckedClient, Execute, trying
from flask.testing import FlaskClient
from support.mills import Mill
from support.waiting import until
from werkzeug.test import TestResponse

from geomill.app import create_app, retention
from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.app.server import Geomill
from geomill.app.uploads import receiving
from geomill.app.uploads.store import Sent, Uploads
from geomill.jobstore import maintenance

ASYNC = {"Prefer": "respond-async"}


def client_of(settings: Settings, **changed: Any) -> FlaskClient:
    """A client under other settings."""
    app = create_app(replace(settings, **changed))
    app.test_client_class = CheckedClient
    return app.test_client()


def send(client: FlaskClient, content: bytes = b"0123456789", name: str = "a.txt", **more: Any) -> TestResponse:
    return client.post(f"/uploads?name={name}", data=content, **more)


def path_of(answer: TestResponse) -> str:
    """Where an upload is, as a client asks for it."""
    assert answer.status_code == 201, answer.json
    return urlsplit(answer.json["href"]).path


def left(settings: Settings, tenant: str = "default") -> list[str]:
    """What there is of uploads, whole or not."""
    folder = settings.home / tenant / "uploads"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# ---- received


def test_a_file_is_kept_and_given_back_to_be_saved(client: FlaskClient) -> None:
    answer = send(client, b"\x00\xff", "map.tif")
    document = answer.json
    assert answer.headers["Location"] == document["href"]
    assert (document["type"], document["name"], document["size"]) == ("image/tiff; application=geotiff", "map.tif", 2)
    in_a_day = datetime.now(UTC) + timedelta(days=1)
    assert abs(datetime.fromisoformat(document["expires"]) - in_a_day) < timedelta(minutes=1)
    got = client.get(path_of(answer))
    assert (got.data, got.content_type) == (b"\x00\xff", "image/tiff; application=geotiff")
    assert got.headers["Content-Disposition"] == "attachment; filename=map.tif"
    assert got.headers["Content-Security-Policy"].startswith("sandbox")


def test_parts_of_a_file_are_given(client: FlaskClient) -> None:
    path = path_of(send(client))
    part = client.get(path, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.data, part.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    head = client.head(path)
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", "10")
    assert client.get(path, headers={"If-None-Match": head.headers["ETag"]}).status_code == 304


def test_a_file_is_removed(client: FlaskClient, settings: Settings) -> None:
    path = path_of(send(client))
    assert client.delete(path).status_code == 204
    assert [client.get(path).status_code, client.delete(path).status_code] == [404, 404]
    assert left(settings) == []


@pytest.mark.parametrize(
    "headers, name, media_type",
    [
        ({"Content-Type": "text/csv"}, "a.txt", "text/csv"),
        ({"Content-Type": "application/octet-stream"}, "a.geojson", "application/geo+json"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "a.zip", "application/zip"),  # as curl says of anything
        ({}, "a", "application/octet-stream"),
        ({"Content-Disposition": 'attachment; filename="b.csv"'}, "a.txt", "text/csv"),
        ({"Content-Disposition": "attachment; filename*=UTF-8''%C3%A4.png"}, "a.txt", "image/png"),
    ],
)
def test_the_type_is_what_is_said_else_what_the_name_tells(
    client: FlaskClient, headers: dict[str, str], name: str, media_type: str
) -> None:
    assert send(client, name=name, headers=headers).json["type"] == media_type


@pytest.mark.parametrize(
    "name, kept",
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\map.tif", "map.tif"),
        (".htaccess", "htaccess"),
        ("..", None),
        ("a%00b%0d%0aSet-Cookie:x", "a_b__Set-Cookie:x"),
        ("%E2%80%AEgpj.exe", "_gpj.exe"),  # written from right to left
        ("n" * 300 + ".tif", "n" * 196 + ".tif"),
        ("%F0%9F%97%BA.tif", "\N{WORLD MAP}.tif"),
    ],
)
def test_a_hostile_name_harms_nothing(client: FlaskClient, settings: Settings, name: str, kept: str | None) -> None:
    answer = send(client, name=name)
    assert answer.json.get("name") == kept
    got = client.get(path_of(answer))
    assert (got.status_code, got.data) == (200, b"0123456789")
    assert "\n" not in got.headers["Content-Disposition"]
    (upload_id,) = left(settings)
    assert sorted(os.listdir(settings.home / "default/uploads" / upload_id)) == ["file", "upload.json"]


@pytest.mark.parametrize("media_type", ["text", "text/html\x01", "a/" + "b" * 300, "text/html; " + "x" * 300])
def test_what_is_no_media_type_is_refused(client: FlaskClient, settings: Settings, media_type: str) -> None:
    assert send(client, headers={"Content-Type": media_type}).status_code == 400
    assert left(settings) == []


# ---- in a form


def form(client: FlaskClient, **fields: Any) -> TestResponse:
    return client.post("/uploads", data=fields, content_type="multipart/form-data")


def test_a_form_sends_its_file(client: FlaskClient) -> None:
    answer = form(client, token="x", file=(io.BytesIO(b"a\r\n--b\r\n"), "a b.csv", "text/csv"), more="y")
    assert (answer.json["name"], answer.json["type"], answer.json["size"]) == ("a b.csv", "text/csv", 8)
    assert client.get(path_of(answer)).data == b"a\r\n--b\r\n"


@pytest.mark.parametrize("size", [0, 1, receiving.PIECE - 1, receiving.PIECE, 3 * receiving.PIECE + 7])
@pytest.mark.parametrize("filling", [b"x", b"\r\n", b"\r", b"--"])
def test_a_file_in_a_form_arrives_byte_for_byte(client: FlaskClient, size: int, filling: bytes) -> None:
    content = (filling * size)[:size]
    answer = form(client, file=(io.BytesIO(content), "a.bin"))
    assert client.get(path_of(answer)).data == content


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"a": "text"}, "has no file"),
        ({"a": (io.BytesIO(b""), "")}, "has no file"),  # as a browser sends a field in which nothing was chosen
        ({"a": (io.BytesIO(b"1"), "a"), "b": (io.BytesIO(b"2"), "b")}, "several files"),
        ({}, "has no file"),
    ],
)
def test_a_form_has_one_file(client: FlaskClient, settings: Settings, fields: dict[str, Any], said: str) -> None:
    answer = form(client, **fields)
    assert (answer.status_code, said in answer.json["detail"]) == (400, True)
    assert left(settings) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form",
        b"--b\r\n",
        b"--b\r\nContent-Disposition: form-data; name=a; filename=a\r\n\r\nhalf",
        b"--b\r\n\r\nno head\r\n--b--",
        b"--b\r\n" + b"x" * 3_000_000,
        b"--b\r\nContent-Disposition: form-data; name=\xff; filename=a\r\n\r\n1\r\n--b--",
        b"".join(b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" for _ in range(200)) + b"--b--",
    ],
)
def test_a_broken_form_is_refused(client: FlaskClient, settings: Settings, body: bytes) -> None:
    answer = client.post("/uploads", data=body, content_type="multipart/form-data; boundary=b")
    assert answer.status_code == 400, answer.json
    assert left(settings) == []


def test_a_form_without_a_boundary_is_refused(client: FlaskClient) -> None:
    assert client.post("/uploads", data=b"x", content_type="multipart/form-data").status_code == 400


# ---- limits


@pytest.mark.parametrize("in_form", [False, True])
@pytest.mark.parametrize("size, status", [(0, 201), (99, 201), (100, 201), (101, 413)])
def test_a_file_has_the_size_that_the_setting_allows(
    settings: Settings, size: int, status: int, in_form: bool
) -> None:
    client = client_of(settings, max_upload=100)
    answer = form(client, file=(io.BytesIO(b"x" * size), "a")) if in_form else send(client, b"x" * size)
    assert answer.status_code == status
    assert answer.json.get("size") == (size if status == 201 else None)
    assert status == 201 or "larger than 100 bytes" in answer.json["detail"]
    assert len(left(settings)) == (status == 201)


def test_a_caller_keeps_as_many_as_the_setting_allows(settings: Settings) -> None:
    client = client_of(settings, max_uploads_per_caller=2)
    first = send(client)
    send(client)
    refused = send(client)
    assert (refused.status_code, refused.json["type"].rpartition("/")[2]) == (429, "too-many-uploads")
    assert len(left(settings)) == 2
    client.delete(path_of(first))
    assert send(client).status_code == 201


def test_two_at_once_are_two(settings: Settings) -> None:
    app = cast(Geomill, client_of(settings).application)
    contents = [bytes([number]) * 200_000 for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda content: send(app.test_client(), content), contents))
    assert [app.test_client().get(path_of(answer)).data for answer in answers] == contents


def test_without_room_nothing_is_kept(settings: Settings) -> None:
    answer = send(client_of(settings, min_free_bytes=2**62))
    assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (507, "store-full")
    assert left(settings) == []


def test_what_would_leave_no_room_is_refused_before_it_is_read(settings: Settings) -> None:
    disk = os.statvfs(settings.home)
    free = disk.f_bavail * disk.f_frsize
    client = client_of(settings, min_free_bytes=max(0, free - 2**30), max_upload=2**42)
    assert client.post("/uploads", data=b"x", environ_overrides={"CONTENT_LENGTH": str(2**40)}).status_code == 507


def test_a_disk_that_fills_up_meanwhile_keeps_nothing(client: FlaskClient, settings: Settings) -> None:
    """By the file size limit of the process, which is met like a full disk: in the middle of a write."""
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            uploads_of(settings).receive("", Sent("a", "text/plain", [b"x" * 150_000]), lambda: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert left(settings) == []


def test_under_maintenance_nothing_is_received(client: FlaskClient, settings: Settings) -> None:
    maintenance.begin(settings.home, "moving")
    assert send(client).status_code == 503
    assert left(settings) == []


def test_a_packed_body_is_refused(client: FlaskClient) -> None:
    assert send(client, headers={"Content-Encoding": "gzip"}).status_code == 415


# ---- whose it is


@pytest.fixture
def token(settings: Settings) -> Callable[..., dict[str, str]]:
    """Headers of a caller."""

    def make(name: str, role: Role = Role.EXECUTOR) -> dict[str, str]:
        return {"Authorization": f"Bearer {Tokens(settings.home).create(name, role, None, None)}"}

    return make


@pytest.mark.parametrize("visibility", ["own", "all"])
def test_an_upload_is_its_owners_alone(
    settings: Settings, token: Callable[..., dict[str, str]], visibility: str
) -> None:
    ann, bob, root = token("ann"), token("bob"), token("root", Role.ADMIN)
    client = client_of(settings, jobs_visibility=visibility)
    path = path_of(send(client, headers=ann))
    link = {"inputs": {"echoInput": {"href": f"http://localhost{path}"}}}
    for stranger in (bob, {}):
        assert client.get(path, headers=stranger).status_code == 404
        assert client.delete(path, headers=stranger).status_code in (401, 404)
    refused = client.post("/processes/echo/execution", json=link, headers=bob)
    assert (refused.status_code, "echoInput" in refused.json["detail"]) == (400, True)
    for owner in (ann, root):
        assert client.get(path, headers=owner).data == b"0123456789"
        assert client.post("/processes/echo/execution", json=link, headers={**owner, **ASYNC}).status_code == 201
    assert client.delete(path, headers=root).status_code == 204


def test_the_limit_is_each_callers_own(settings: Settings, token: Callable[..., dict[str, str]]) -> None:
    ann, bob = token("ann"), token("bob")
    client = client_of(settings, max_uploads_per_caller=1)
    assert [send(client, headers=who).status_code for who in (ann, bob, ann)] == [201, 201, 429]


def test_a_reader_sends_nothing(settings: Settings, token: Callable[..., dict[str, str]]) -> None:
    assert send(client_of(settings), headers=token("eve", Role.READER)).status_code == 403


def test_an_upload_is_of_one_tenant(settings: Settings) -> None:
    client = client_of(settings, tenants=("acme", "zeta"))
    answer = client.post("/acme/ogc-api/uploads", data=b"x")
    path, href = path_of(answer), answer.json["href"]
    assert path.startswith("/acme/ogc-api/uploads/")
    upload_id = path.rpartition("/")[2]
    assert client.get(path).data == b"x"
    for other in ("", "/ogc-api", "/zeta/ogc-api"):
        assert client.get(f"{other}/uploads/{upload_id}").status_code == 404
        body = {"inputs": {"echoInput": {"href": href}}}
        refused = client.post(f"{other}/processes/echo/execution", json=body)
        assert (refused.status_code, "no upload" in refused.json["detail"]) == (400, True)
    assert left(settings, "acme") == [upload_id]


def test_the_audit_log_names_the_upload(client: FlaskClient, settings: Settings) -> None:
    path = path_of(send(client))
    client.delete(path)
    lines = map(json.loads, (settings.home / "identity/audit.jsonl").read_text().splitlines())
    told = [(line["operation"], line["status"], line["upload"], line.get("process")) for line in lines]
    upload_id = path.rpartition("/")[2]
    assert told == [("upload", 201, upload_id, None), ("removeUpload", 204, upload_id, None)]


def test_nobody_else_on_the_host_can_read_it(client: FlaskClient, settings: Settings) -> None:
    path_of(send(client))
    folder = settings.home / "default/uploads"
    modes = {stat.S_IMODE(path.lstat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert modes == {0o700, 0o600}


# ---- how long


def uploads_of(settings: Settings) -> Uploads:
    return Uploads(settings.home / "default/uploads", settings.keep_uploads)


def age(settings: Settings, seconds: float) -> None:
    """Let time pass over all uploads."""
    for record in (settings.home / "default/uploads").glob("*/upload.json"):
        found = json.loads(record.read_text())
        created = datetime.fromisoformat(found["created"]) - timedelta(seconds=seconds)
        record.write_text(json.dumps({**found, "created": created.isoformat()}))


def test_an_upload_expires(settings: Settings) -> None:
    app = cast(Geomill, client_of(settings).application)
    client = app.test_client()
    kept, path = send(client), path_of(send(client))
    age(settings, 86390)
    assert client.get(path).status_code == 200
    age(settings, 20)
    assert client.get(path).status_code == 404
    body = {"inputs": {"echoInput": {"href": kept.json["href"]}}}
    refused = client.post("/processes/echo/execution", json=body)
    assert (refused.status_code, "may have expired" in refused.json["detail"]) == (400, True)
    fresh = send(client).json["href"].rpartition("/")[2]
    told = list(retention.collect([app.jobs], settings, dry_run=True))
    gone = list(retention.audited(retention.collect([app.jobs], settings), settings, by="dispatcher"))
    assert [(each.what, each.rule, each.size) for each in gone] == [("upload", "keep_uploads", 10)] * 2 and told == gone
    assert left(settings) == [fresh]
    line = json.loads((settings.home / "identity/audit.jsonl").read_text().splitlines()[-1])
    assert (line["operation"], line["rule"]) == ("expireUpload", "keep_uploads = 1 d")


def test_an_upload_is_kept_for_ever_where_the_setting_says_so(settings: Settings) -> None:
    client = client_of(settings, keep_uploads=0)
    answer = send(client)
    age(settings, 10 * 365 * 86400)
    assert "expires" not in answer.json and client.get(path_of(answer)).status_code == 200


def test_what_a_crash_leaves_is_collected_once_nobody_is_at_it(settings: Settings) -> None:
    app = create_app(settings)
    path_of(send(app.test_client()))
    folder = settings.home / "default/uploads"
    for name in (".new-" + "a" * 40, ".new-" + "b" * 40, ".old-" + "c" * 40):
        (folder / name).mkdir()
        (folder / name / "file").write_bytes(b"half")
    long_ago = time.time() - 4000
    for path in (folder / (".new-" + "a" * 40), folder / (".new-" + "a" * 40) / "file"):
        os.utime(path, (long_ago, long_ago))
    os.utime(folder / (".new-" + "b" * 40), (long_ago, long_ago))  # begun long ago, and something came just now
    list(retention.collect([app.jobs], settings))
    assert [name for name in left(settings) if name.startswith(".")] == [".new-" + "b" * 40]


def test_a_torn_upload_is_not_there(client: FlaskClient, settings: Settings) -> None:
    path = path_of(send(client))
    next((settings.home / "default/uploads").glob("*/upload.json")).write_text("{")
    assert client.get(path).status_code == 404


# ---- as an input


@pytest.fixture
def uploaded(worker: FlaskClient) -> Iterator[Callable[..., str]]:
    """Send a file, and name it."""
    yield lambda content=b"hello", name="a.txt": send(worker, content, name).json["href"]


@pytest.mark.parametrize("prefix", ["", "/ogc-api"])
def test_a_process_reads_what_was_uploaded(
    execute: Execute, uploaded: Callable[..., str], prefix: str
) -> None:
    href = uploaded().replace("/uploads/", f"{prefix}/uploads/")
    more = [{"href": uploaded(b"more", "b.csv"), "type": "text/plain"}, {"href": href}]
    answer = execute("read", {"inputs": {"file": {"href": href}, "more": more}})
    assert answer.json == [["hello", ".txt"], ["more", ".csv"], ["hello", ".txt"]]


def test_a_value_by_reference_is_read_from_an_upload(execute: Execute, uploaded: Callable[..., str]) -> None:
    answer = execute("add", {"inputs": {"a": {"href": uploaded(b"41", "a.json")}}})
    assert answer.json == 42


def test_a_process_that_changes_its_input_changes_no_upload(
    execute: Execute, worker: FlaskClient, uploaded: Callable[..., str]
) -> None:
    href = uploaded()
    for _ in range(2):
        assert execute("read", {"inputs": {"file": {"href": href}}}).json == [["hello", ".txt"]]
    assert worker.get(urlsplit(href).path).data == b"hello"


def test_a_job_that_waits_needs_no_upload_any_more(
    worker: FlaskClient, working: Geomill, execute: Execute, uploaded: Callable[..., str], tmp_path: Path
) -> None:
    """Nor does it keep what it was given once it has ended: a retry looks for the upload again."""
    most, flag, href = working.settings.max_running, tmp_path / "go", uploaded()
    waits = [execute("wait", {"inputs": {"flag": str(flag)}}, Prefer="respond-async") for _ in range(most)]
    accepted = execute("read", {"inputs": {"file": {"href": href}}}, Prefer="respond-async")
    job_id = accepted.json["jobID"]
    given = working.jobs.folder(job_id) / "given"
    assert len(list(given.iterdir())) == 2
    assert worker.delete(urlsplit(href).path).status_code == 204
    flag.touch()
    assert working.engine.run(job_id, 20).status.value == "successful"
    assert worker.get(f"/jobs/{job_id}/results/result").json == [["hello", ".txt"]]
    until(lambda: not given.exists())
    retried = worker.post(f"/jobs/{job_id}/retry")
    assert (retried.status_code, "may have expired" in retried.json["detail"]) == (400, True)
    for each in waits:
        assert working.engine.run(each.json["jobID"], 20).status.final


def test_a_retry_gets_what_is_still_there(
    worker: FlaskClient, working: Geomill, execute: Execute, uploaded: Callable[..., str]
) -> None:
    job_id = execute("read", {"inputs": {"file": {"href": uploaded()}}}, Prefer="respond-async").json["jobID"]
    assert working.engine.run(job_id, 20).status.value == "successful"
    again = worker.post(f"/jobs/{job_id}/retry", base_url="http://127.0.0.1").json["jobID"]  # by another name
    assert working.engine.run(again, 20).status.value == "successful"


def test_a_dismissed_job_holds_nothing(client: FlaskClient, app: Geomill) -> None:
    href = send(client).json["href"]
    body = {"inputs": {"echoInput": {"href": href}}}
    job_id = client.post("/processes/echo/execution", json=body, headers=ASYNC).json["jobID"]
    folder = app.jobs.folder(job_id)
    assert (folder / "given").exists()
    assert client.delete(f"/jobs/{job_id}").status_code == 200
    assert not (folder / "given").exists()


@pytest.mark.parametrize(
    "value, place",
    [
        ({"href": "{gone}"}, "echoInput: cannot be fetched"),
        ({"value": {"a": [{"href": "{gone}"}]}}, "echoInput: value.a[0] cannot be fetched"),
        ({"value": {"class": "File", "location": "{gone}"}}, "echoInput: value cannot be fetched"),
    ],
)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "localhost:80"])
def test_an_upload_that_is_not_there_is_said_at_its_member(
    client: FlaskClient, value: Any, place: str, host: str
) -> None:
    gone = f"http://{host}/ogc-api/uploads/{'0' * 40}"
    body = json.loads(json.dumps({"inputs": {"echoInput": value}}).replace("{gone}", gone))
    answer = client.post("/processes/echo/execution", json=body)
    assert (answer.status_code, place in answer.json["detail"]) == (400, True), answer.json


def test_what_only_looks_like_one_is_left_alone(client: FlaskClient) -> None:
    """A text that names one, and an address of somebody else."""
    gone = f"http://localhost/uploads/{'0' * 40}"
    for value in (gone, {"href": gone.replace("localhost", "example.org")}):
        answer = client.post("/processes/echo/execution", json={"inputs": {"echoInput": value}}, headers=ASYNC)
        assert answer.status_code == 201


def test_behind_a_public_url_its_addresses_lead_here(
    settings: Settings, token: Callable[..., dict[str, str]]
) -> None:
    client, ann = client_of(settings, public_url="https://geo.example.org/mill"), token("ann")
    answer = send(client, headers=ann)
    assert answer.json["href"].startswith("https://geo.example.org/mill/uploads/")
    good = {"inputs": {"echoInput": {"href": answer.json["href"]}}}
    gone = {"inputs": {"echoInput": {"href": answer.json["href"][:-40] + "0" * 40}}}
    said = [client.post("/processes/echo/execution", json=body, headers={**ann, **ASYNC}) for body in (good, gone)]
    assert [answer.status_code for answer in said] == [201, 400]


# ---- on a real server


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    with trying(tmp_path_factory.mktemp("mill"), max_upload="3000000") as mill:
        yield mill


def begin(mill: Mill, headers: str, body: bytes) -> socket.socket:
    """A request that goes on."""
    host, port = urlsplit(mill.url).netloc.split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(f"POST /uploads HTTP/1.1\r\nHost: {host}:{port}\r\n{headers}\r\n\r\n".encode() + body)
    return connection


def answer_of(connection: socket.socket) -> bytes:
    with connection:
        return connection.recv(65536).split(b"\r\n")[0]


def chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


@pytest.mark.parametrize("size, status", [(3_000_000, b"201"), (3_000_001, b"413")])
def test_a_body_in_chunks_has_the_same_limit(mill: Mill, size: int, status: bytes) -> None:
    body = chunk(b"x" * size) + b"0\r\n\r\n"
    assert status in answer_of(begin(mill, "Transfer-Encoding: chunked", body))


def test_one_that_breaks_off_leaves_nothing(mill: Mill) -> None:
    folder = mill.settings.home / "default/uploads"
    with begin(mill, "Content-Length: 2000000", b"x" * 1_000_000):
        until(lambda: any(path.stat().st_size for path in folder.glob(".new-*/file")))
    until(lambda: not list(folder.glob(".new-*")))


def test_the_server_may_be_killed_meanwhile(tmp_path: Path) -> None:
    """What was half sent is no upload, and no next one is harmed by it."""
    from support.mills import serving

    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")
    folder = settings.home / "default/uploads"
    with serving(settings, "--workers", "1") as mill:
        whole = mill.call("POST", "/uploads", {"a": 1}).json()["href"].rpartition("/")[2]
        with begin(mill, "Content-Length: 2000000", b"x" * 1_000_000):
            (half,) = until(lambda: [path for path in folder.glob(".new-*/file") if path.stat().st_size])
            (worker,) = workers(mill.pid)
            os.kill(worker, 9)
            until(lambda: mill.call("GET", f"/uploads/{whole}").status == 200)
        assert half.exists()
        assert mill.call("GET", f"/uploads/{half.parent.name.removeprefix('.new-')}").status == 404
    assert uploads_of(settings).torn() == []


def workers(master: int) -> list[int]:
    """The pids of a server's workers: forks of it that have not become another program."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return [int(pid) for pid in children if command_of(int(pid)) == command_of(master)]


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
