"""Outputs that are copied into an object store before a job is successful."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support import buckets, mills, secrets
from support.buckets import Store
from support.mills import Mill
from support.waiting import until

from geomill.app.access import open_guard
from geomill.app.config import Settings, SettingsError
from geomill.app.credentials import FILE, Credential, CredentialError, Credentials
from geomill.app.engine import uploading
from geomill.app.engine.held import Unpublishable
from geomill.jobstore import Result
from geomill.jobstore.fsck import check

PROCESSES = '''
from pathlib import Path
from typing import Annotated
from geomill.processes import File, process

Text = Annotated[Path, File("A text", "text/plain")]

@process
def write(size: int = 5, name: str = "a b+ä.txt") -> Text:
    """Write a file."""
    Path(name).write_bytes(b"x" * size)
    return Path(name)

@process
def several() -> list[Text]:
    """Write some."""
    paths = [Path(f"{number}.txt") for number in range(3)]
    for path in paths:
        path.write_text(path.stem)
    return paths

@process
def number() -> int:
    """Give a value that is no file."""
    return 5
'''
FOLDER = {
    "cwlVersion": "v1.2", "class": "CommandLineTool", "id": "folder", "inputs": {},
    "baseCommand": ["sh", "-c", "mkdir -p out/inner; echo 1 > out/a.txt; echo 2 > out/inner/b.txt"],
    "outputs": {"all": {"type": "Directory", "outputBinding": {"glob": "out"}}},
}  # fmt: skip


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with buckets.store("results") as running:
        yield running


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("mill")
    (root / "processes").mkdir()
    (root / "processes" / "writing.py").write_text(PROCESSES)
    return Settings(root / "home", root / "run", processes=(root / "processes",))


@pytest.fixture(scope="module")
def mill(settings: Settings, store: Store) -> Iterator[Mill]:
    given = {"allow": "127.0.0.1", "publish_to": "s3://results/here"}
    with mills.serving(settings, "--workers", "1", shared=True, **given) as running:
        yield running


@pytest.fixture
def known(mill: Mill, store: Store) -> Credentials:
    credentials = Credentials(mill.settings.home / "default" / FILE)
    credentials.add(Credential("store", "s3://results", "s3", store.secret, store.key_id, endpoint=store.url))
    return credentials


def objects(store: Store, prefix: str) -> dict[str, tuple[int, str]]:
    """Size and media type of what is in the bucket."""
    found = store.client.list_objects_v2(Bucket="results", Prefix=prefix).get("Contents", ())
    heads = {each["Key"]: store.client.head_object(Bucket="results", Key=each["Key"]) for each in found}
    return {key: (head["ContentLength"], head["ContentType"]) for key, head in heads.items()}


def test_outputs_are_in_the_bucket_when_the_job_is_successful(mill: Mill, store: Store, known: Credentials) -> None:
    job_id = mill.submit("write")
    assert mill.ended(job_id).status.value == "successful", mill.status(job_id)
    assert objects(store, f"here/default/{job_id}/") == {f"here/default/{job_id}/a b+ä.txt": (5, "text/plain")}
    (link,) = mill.call("GET", f"/jobs/{job_id}/results").json().values()
    assert link["href"] == f"s3://results/here/default/{job_id}/a%20b%2B%C3%A4.txt" and link["file:size"] == 5
    # and stay here
    assert mill.call("GET", f"/jobs/{job_id}/results/result").data == b"xxxxx"
    guard = open_guard(Settings(mill.settings.home, mill.settings.runtime_dir, allow=("127.0.0.1",)), "default")
    assert guard.fetch(link["href"], mill.settings.home.parent).path.read_bytes() == b"xxxxx"
    assert not secrets.files(mill.store.folder(job_id), secret=store.secret)


def test_a_large_file_is_sent_in_parts(mill: Mill, store: Store, known: Credentials) -> None:
    size = 2 * uploading.PART + 5
    job_id = mill.submit("write", size=size, name="large.txt")
    assert mill.ended(job_id, 60).status.value == "successful", mill.status(job_id)
    key = f"here/default/{job_id}/large.txt"
    assert objects(store, key) == {key: (size, "text/plain")}
    assert store.client.head_object(Bucket="results", Key=key)["ETag"].endswith('-3"')
    assert store.client.get_object(Bucket="results", Key=key)["Body"].read() == b"x" * size


@pytest.mark.thorough
def test_every_file_of_a_list_and_of_a_folder_has_its_address(mill: Mill, store: Store, known: Credentials) -> None:
    mill.call("POST", "/processes", FOLDER, Content_Type="application/cwl+json")
    listed, folder = mill.submit("several"), mill.submit("folder")
    for job_id in (listed, folder):
        assert mill.ended(job_id, 60).status.value == "successful", mill.status(job_id)
    (links,) = mill.call("GET", f"/jobs/{listed}/results").json().values()
    assert [link["href"] for link in links] == [f"s3://results/here/default/{listed}/{n}.txt" for n in range(3)]
    inside = mill.call("GET", f"/jobs/{folder}/results").json()["all"]
    hrefs = re.findall(r"s3://[^']+", str(inside))
    assert sorted(hrefs) == [f"s3://results/here/default/{folder}/all/{name}" for name in ("a.txt", "inner/b.txt")]
    assert {f"s3://results/{key}" for key in objects(store, f"here/default/{folder}/")} == set(hrefs)
    log = mill.call("GET", f"/jobs/{folder}/logs/node_stage_out.log").data.decode()
    assert "s3://results/here/default/" in log


def test_a_value_that_is_no_file_needs_no_store(mill: Mill) -> None:
    Credentials(mill.settings.home / "default" / FILE).path.unlink(missing_ok=True)
    job_id = mill.submit("number")
    assert mill.ended(job_id).status.value == "successful"


@pytest.mark.parametrize(
    "members, message",
    [
        (None, "there are no keys for s3://results/here among the credentials of default"),
        ({"secret": "wrong"}, "the store does not accept the credential store (SignatureDoesNotMatch)"),
        ({"pattern": "s3://other"}, "there are no keys"),
        ({"endpoint": "http://10.0.0.1"}, "not a public address"),
    ],
)
@pytest.mark.parametrize("size", [5, uploading.PART + 1])
def test_what_cannot_be_copied_fails_the_job_and_is_kept_here(
    mill: Mill, store: Store, known: Credentials, members: dict[str, str] | None, message: str, size: int
) -> None:
    (credential,) = known.all().values()
    known.remove("store")
    if members is not None:
        known.add(Credential(**{**vars(credential), **members}))
    job_id = mill.submit("write", size=size, name="kept.txt")
    info = mill.ended(job_id, 60)
    assert (info.status.value, info.cause) == ("failed", "publish") and message in (info.message or ""), info
    assert (mill.store.folder(job_id) / "outputs" / "kept.txt").stat().st_size == size
    assert mill.call("GET", f"/jobs/{job_id}/results").status == 500
    assert not objects(store, f"here/default/{job_id}/")
    assert not [each for each in check(mill.store) if job_id in str(each.path)]  # by fsck
    assert store.secret not in (info.message or "") and "wrong" not in (info.message or "")


def test_a_tenant_copies_with_keys_of_its_own(mill: Mill, store: Store, known: Credentials) -> None:
    acme = mill.of("acme")
    job_id = acme.submit("write")
    info = acme.ended(job_id)
    assert info.cause == "publish" and "among the credentials of acme" in (info.message or "")


# --- a store that fails


class Failing(BaseHTTPRequestHandler):
    """Does what the test says with the next requests, then is well."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.heard.append((self.command, self.path))  # type: ignore[attr-defined]
        what = self.server.plan.pop(0) if self.server.plan else 200  # type: ignore[attr-defined]
        if what == "hang":
            self.server.stop.wait(60)  # type: ignore[attr-defined]
            what = 500
        if what == "close":
            self.close_connection = True
            return
        body = b"<a><UploadId>u&1</UploadId></a>" if what == 200 else b"<Error><Code>SlowDown</Code></Error>"
        self.send_response(200 if what == "late" else what)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"tag"')
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    do_POST = do_DELETE = do_PUT

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def failing(*plan: Any) -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        server.daemon_threads = True
        server.plan, server.heard, server.stop = list(plan), [], threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.stop.set()  # type: ignore[attr-defined]
            server.shutdown()
            thread.join()


def copying(tmp_path: Path, server: Any, size: int = 5) -> int:
    """Copy one file to a server."""
    (tmp_path / "home/default").mkdir(parents=True)
    endpoint = f"http://127.0.0.1:{server.server_port}"
    Credentials(tmp_path / "home/default" / FILE).add(Credential("s", "s3://b1s", "s3", "S", "K", endpoint=endpoint))
    (tmp_path / "job/outputs").mkdir(parents=True)
    (tmp_path / "job/outputs/a.txt").write_bytes(b"x" * size)
    settings = Settings(tmp_path / "home", tmp_path / "run", allow=("127.0.0.1",), publish_to="s3://b1s")
    return uploading.copy(settings, "default", tmp_path / "job", [Result(file="a.txt", size=size)])


@pytest.mark.parametrize("trouble", [[500], [503, 429], ["close"], ["late"], [500, 500, 500]])
def test_trouble_that_passes_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: list[Any]
) -> None:
    monkeypatch.setattr(uploading, "BREATH", 0.01)
    with failing(*trouble) as server:
        assert copying(tmp_path, server) == 5
        assert server.heard == [("PUT", "/b1s/default/job/a.txt")] * (len(trouble) + 1)


def test_trouble_that_stays_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "BREATH", 0.01)
    with failing(*[503] * 9) as server:
        with pytest.raises(Unpublishable, match="s3://b1s/default/job/a.txt cannot .*: it answered 503 SlowDown"):
            copying(tmp_path, server)
        assert len(server.heard) == uploading.TRIES


def test_parts_of_what_was_given_up_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "PART", 4)
    with failing(200, 200, 403) as server:
        with pytest.raises(Unpublishable):
            copying(tmp_path, server)
    path = "/b1s/default/job/a.txt"
    assert server.heard == [
        ("POST", f"{path}?uploads"), ("PUT", f"{path}?partNumber=1&uploadId=u%261"),
        ("PUT", f"{path}?partNumber=2&uploadId=u%261"), ("DELETE", f"{path}?uploadId=u%261"),
    ]  # fmt: skip


def test_keys_that_may_only_read_everything_in_public_copy_nothing(tmp_path: Path) -> None:
    (tmp_path / "home/default").mkdir(parents=True)
    settings = Settings(tmp_path / "home", tmp_path / "run", publish_to="s3://b1s")
    Credentials(tmp_path / "home/default" / FILE).add(Credential("s", "s3://b1s", "s3"))
    with pytest.raises(CredentialError, match="there are no keys"):
        uploading.credential(settings, "default")


def test_a_job_whose_copying_hangs_can_be_dismissed(mill: Mill, known: Credentials) -> None:
    with failing(*["hang"] * 4) as server:
        (credential,) = known.all().values()
        known.remove("store")
        endpoint = f"http://127.0.0.1:{server.server_port}"
        known.add(Credential(**{**vars(credential), "endpoint": endpoint}))
        job_id = mill.submit("write", name="hung.txt")
        until(lambda: server.heard)
        reply = mill.call("DELETE", f"/jobs/{job_id}")
        assert (reply.status, reply.json()["status"]) == (200, "dismissed")
    assert mill.call("GET", f"/jobs/{job_id}/results").status == 404


# --- where links lead


def test_links_lead_to_the_web_address_if_there_is_one() -> None:
    settings = Settings(Path("/h"), Path("/r"), publish_to="s3://b/p", publish_url="https://data.example.org/x")
    found = uploading.addresses(settings, "acme/1", [Result(file="a b/ä.txt")])
    assert found == {"a b/ä.txt": "https://data.example.org/x/acme/1/a%20b/%C3%A4.txt"}


WRONG = ["bucket", "https://bucket", "s3://", "s3://bucket/../c", "s3://bucket//c", "s3://bucket?x", "s3://bucket/a b"]


@pytest.mark.parametrize("text", WRONG)
def test_a_place_that_is_no_bucket_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="publish-to: expected a bucket"):
        Settings.load({}, {"home": str(tmp_path), "publish_to": text})
