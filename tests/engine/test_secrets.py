"""A job uses what its tenant has credentials for, and nobody ever sees them: not in a file, a process or an answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from support import buckets, mills, secrets
from support.buckets import Store
from support.mills import Mill
from support.waiting import until
from support.web import served

from geomill.app.cli.doctor import credentials
from geomill.app.config import Settings
from geomill.app.credentials import FILE
from geomill.app.identity.audit import path_of
from geomill.client import show

SECRET = f"s3cr3t-{os.urandom(9).hex()}"
PROCESSES = '''
import os, subprocess, sys, time
from pathlib import Path
from typing import Annotated
from geomill.processes import Fetch, File, process

Text = Annotated[Path, File("A text", "text/plain")]

@process
def tell(scene: Text, more: str, flag: str, fetch: Fetch) -> Text:
    """Tell all that a job can find out about itself, when the flag is there."""
    print(os.environ, sys.argv, flush=True)
    second = fetch(more)
    while flag and not Path(flag).exists():
        time.sleep(0.01)
    told = Path("told.txt")
    shown = [scene.read_text(), second.read_text(), repr(dict(os.environ)), subprocess.check_output(["env"], text=True)]
    shown += [Path("/proc/self", name).read_text(errors="replace") for name in ("environ", "cmdline", "status")]
    shown += sorted(os.listdir("/proc/self/fd")) + sorted(os.listdir("."))
    told.write_text("\\n".join(shown))
    return told
'''
CWL = {
    "cwlVersion": "v1.2",
    "class": "CommandLineTool",
    "id": "look",
    "requirements": {"InlineJavascriptRequirement": {}, "ShellCommandRequirement": {}},
    "baseCommand": ["sh", "-c", "env; cat /proc/*/environ /proc/*/cmdline; cat $0; ls -R $1; cat $1/*/*"],
    "arguments": [
        "$(inputs.scene.path)",
        "$(inputs.folder.path)",
        "${return typeof process + JSON.stringify([inputs, runtime, Object.keys(globalThis)]);}",
    ],
    "inputs": {"scene": "File", "folder": "Directory"},
    "outputs": {"all": {"type": "stdout"}},
    "stdout": "all.txt",
}


class Protected(BaseHTTPRequestHandler):
    """Gives nothing to who has no token."""

    def do_GET(self) -> None:
        here = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
        asset = {"href": "./private/asset.txt"}
        item = {"type": "Feature", "stac_version": "1.0.0", "id": "i", "links": [], "assets": {"a": asset}}
        pages = {
            "/scene.txt": b"a scene", "/private/asset.txt": b"an asset", "/item.json": json.dumps(item).encode(),
            "/look.cwl": json.dumps(CWL).encode(), "/more.txt": f"more of {here}".encode(),
        }  # fmt: skip
        allowed = self.headers["Authorization"] == f"Bearer {SECRET}"
        body = pages.get(self.path.partition("?")[0], b"nothing here") if allowed else b"who are you?"
        self.send_response((200 if body != b"nothing here" else 404) if allowed else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def protected() -> Iterator[str]:
    with served(ThreadingHTTPServer(("127.0.0.1", 0), Protected)) as url:
        yield url


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with protected() as address:
        yield address


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with buckets.store("data") as running:
        for key in ("scene.txt", "tree/i/asset.txt"):
            running.client.put_object(Bucket="data", Key=key, Body=f"an object, {key}".encode())
        yield running


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory, host: str, store: Store) -> Iterator[Mill]:
    root = tmp_path_factory.mktemp("mill")
    (root / "processes").mkdir()
    (root / "processes" / "telling.py").write_text(PROCESSES)
    settings = Settings(root / "home", root / "run", processes=(root / "processes",))
    with mills.serving(settings, "--workers", "1", shared=True, allow=f"{host[7:]},{store.at}") as running:
        yield running


def credential(mill: Mill, *arguments: str, secret: str = "") -> subprocess.CompletedProcess[str]:
    """`geomill credential`, as an operator would say it."""
    command = [*mills.COMMAND, "credential", *arguments]
    given = {"home": str(mill.settings.home), "runtime_dir": str(mill.settings.runtime_dir)}
    return subprocess.run(command, env=mills.environ(given), input=secret, capture_output=True, text=True, timeout=60)


@pytest.fixture
def known(mill: Mill, host: str) -> Iterator[None]:
    done = credential(mill, "add", "store", "--host", host, "--bearer", secret=f"{SECRET}\n")
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    yield
    credential(mill, "rm", "store")


def everything(mill: Mill, job_id: str) -> dict[str, bytes]:
    """All that can be asked about a job."""
    status = mill.call("GET", f"/jobs/{job_id}").json()
    hrefs = {link["href"] for link in status["links"]} | {
        f"{mill.url}/jobs/{job_id}{path}"
        for path in (
            "", "/results", "/logs", "/prov", "/request", "/events", "/ro-crate", "/ro-crate.zip", "/prov?f=xml",
            "/prov/run", "/prov/data", "/logs/look.log", "/results/all", "/results/return",
        )
    }  # fmt: skip
    found = {}
    for href in hrefs:
        if href.startswith(mill.url):
            for accept in ("*/*", "text/html", "application/zip", "text/turtle"):
                found[f"{href} {accept}"] = mill.call("GET", href.removeprefix(mill.url), Accept=accept).data
    return found


def nothing_shown(mill: Mill, *job_ids: str) -> None:
    """The secret is in its own file, and nowhere else on this host that could be looked at."""
    roots = (mill.settings.home, mill.settings.runtime_dir)
    assert secrets.files(*roots, secret=SECRET) <= {mill.settings.home / "default" / FILE}
    assert not secrets.processes(SECRET)
    for job_id in job_ids:
        shown = [href for href, content in everything(mill, job_id).items() if secrets.holds(content, SECRET)]
        assert not shown


def test_a_job_gets_what_its_tenant_may_have_and_the_secret_is_nowhere(mill: Mill, host: str, known: None) -> None:
    flag = mill.settings.home.parent / "go"
    job_id = mill.submit(
        "tell", scene={"href": f"{host}/scene.txt"}, more=f"{host}/more.txt?X-Token=presigned", flag=str(flag)
    )
    folder = mill.store.folder(job_id)
    until(lambda: (folder / "log").exists() and (folder / "log").stat().st_size)
    nothing_shown(mill, job_id)  # while it runs
    flag.touch()
    info = mill.ended(job_id)
    assert info.status.value == "successful", info
    told = (folder / "outputs" / "told.txt").read_text()
    assert told.startswith("a scene") and f"more of {host}" in told
    nothing_shown(mill, job_id)


@pytest.mark.thorough
def test_so_does_a_package_that_lies_there_with_its_inputs(mill: Mill, host: str, known: None) -> None:
    package = {"executionUnit": {"href": f"{host}/look.cwl", "type": "application/cwl"}}
    reply = mill.call("POST", "/processes", package, Content_Type="application/ogcapppkg+json")
    assert reply.status == 201, reply.data
    try:
        job_id = mill.submit("look", scene={"href": f"{host}/scene.txt"}, folder={"href": f"{host}/item.json"})
        info = mill.ended(job_id, 60)
        assert info.status.value == "successful", info
        told = (mill.store.folder(job_id) / "outputs" / "all.txt").read_text(errors="replace")
        assert "a scene" in told and "an asset" in told
        nothing_shown(mill, job_id)
    finally:
        mill.call("DELETE", "/processes/look")


@pytest.mark.thorough
def test_so_does_what_lies_in_a_bucket(mill: Mill, store: Store, host: str) -> None:
    options = ("--host", "s3://data", "--s3", store.key_id, "--endpoint", store.url)
    done = credential(mill, "add", "bucket", *options, secret=store.secret)
    assert done.returncode == 0, done.stderr
    mill.call("POST", "/processes", CWL, Content_Type="application/cwl+json")
    try:
        scene = {"href": "s3://data/scene.txt"}
        job_id = mill.submit("look", scene=scene, folder={"href": "s3://data/tree/"})
        assert mill.ended(job_id, 60).status.value == "successful", mill.status(job_id)
        told = (mill.store.folder(job_id) / "outputs" / "all.txt").read_text(errors="replace")
        assert "an object, scene.txt" in told and "an object, tree/i/asset.txt" in told
        roots = (mill.settings.home, mill.settings.runtime_dir)
        for secret in (store.secret, store.key_id):
            assert secrets.files(*roots, secret=secret) <= {mill.settings.home / "default" / FILE}
            assert not secrets.processes(secret) - {f"{os.getpid()} environ"}
            assert not [href for href, content in everything(mill, job_id).items() if secrets.holds(content, secret)]
        wrong = mill.call("POST", "/processes/look/execution", {"inputs": {"scene": {"href": "s3://x/../y"}}})
        assert wrong.status == 400, wrong.data
    finally:
        mill.call("DELETE", "/processes/look")
        credential(mill, "rm", "bucket")


def test_what_fails_says_why_and_not_what_was_said(mill: Mill, host: str, known: None) -> None:
    missing = f"{host}/missing.txt?token=presigned"
    job_id = mill.submit("tell", scene={"href": f"{host}/scene.txt"}, more=missing, flag="")
    info = mill.ended(job_id)
    assert info.status.value == "failed" and "404" in (info.message or "")
    nothing_shown(mill, job_id)


def test_a_running_server_sees_at_once_what_was_removed_and_added(mill: Mill, host: str) -> None:
    def outcome() -> str:
        job_id = mill.submit("tell", scene={"href": f"{host}/scene.txt"}, more=f"{host}/more.txt", flag="")
        return mill.ended(job_id).status.value

    def deployed() -> int:
        package = {"executionUnit": {"href": f"{host}/look.cwl"}}
        return mill.call("POST", "/processes?dryRun=true", package, Content_Type="application/ogcapppkg+json").status

    assert (outcome(), deployed()) == ("failed", 400)
    credential(mill, "add", "store", "--host", host, "--bearer", secret=SECRET)
    assert (outcome(), deployed()) == ("successful", 200)
    credential(mill, "rm", "store")
    assert (outcome(), deployed()) == ("failed", 400)


def test_another_tenant_does_not_have_it(mill: Mill, host: str, known: None) -> None:
    acme = mill.of("acme")
    job_id = acme.submit("tell", scene={"href": f"{host}/scene.txt"}, more=f"{host}/more.txt", flag="")
    info = acme.ended(job_id)
    assert info.status.value == "failed" and "no credential for it" in (info.message or "")


def test_the_command_lists_names_and_no_secrets(mill: Mill, host: str, known: None) -> None:
    for arguments in (["ls"], ["ls", "--json"]):
        done = credential(mill, *arguments)
        assert done.returncode == 0 and "store" in done.stdout and host in done.stdout
        assert not secrets.holds((done.stdout + done.stderr).encode(), SECRET)


WRONG = [
    (["add", "a", "--host", "*", "--bearer"], "too much would match"),
    (["add", "a", "--host", "example.org"], "give one of --bearer"),
    (["add", "a", "--host", "example.org", "--bearer", "--basic", "ann"], "give one of --bearer"),
    (["add", "a", "--bearer"], "--host"),
    (["add", "a", "--host", "example.org", "--bearer", "--region", "eu-1"], "belong to --s3"),
    (["add", "a b", "--host", "example.org", "--bearer"], "a name has"),
    (["add", "a", "--host", "example.org", "--bearer", "--tenant", "nobody"], "no tenant 'nobody'"),
    (["rm", "nothing"], "no credential 'nothing'"),
]


@pytest.mark.parametrize("arguments, message", WRONG)
def test_a_wrong_command_says_what_is_wrong_and_shows_no_secret(mill: Mill, arguments: list[str], message: str) -> None:
    done = credential(mill, *arguments, secret=f"{SECRET}\n")
    assert done.returncode != 0 and message in done.stderr and "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_changes_of_credentials_are_in_the_audit_log(mill: Mill, known: None) -> None:
    credential(mill, "rm", "store")
    lines = [json.loads(line) for line in path_of(mill.settings).read_text().splitlines()]
    told = [(line["operation"], line["name"], line["tenant"]) for line in lines if "Credential" in line["operation"]]
    assert told[-2:] == [("addCredential", "store", "default"), ("removeCredential", "store", "default")]


def test_credentials_are_nothing_wrong_with_a_home(mill: Mill, known: None) -> None:
    given = {"home": str(mill.settings.home), "runtime_dir": str(mill.settings.runtime_dir)}
    done = subprocess.run([*mills.COMMAND, "fsck"], env=mills.environ(given), capture_output=True, text=True)
    assert done.stdout == "Nothing is wrong.\n", done


def test_an_empty_secret_is_refused(mill: Mill) -> None:
    done = credential(mill, "add", "a", "--host", "example.org", "--bearer", secret="\n")
    assert done.returncode == 1 and "secret is empty" in done.stderr


def test_the_doctor_says_how_many_there_are_and_when_none_can_be_used(mill: Mill, known: None) -> None:
    def section(**more: str) -> str:  # of the command, which measures for seconds before it comes to this one
        said = show.table(list(credentials(replace(mill.settings, **more))))
        assert not secrets.holds(said.encode(), SECRET)
        return said

    assert section().split() == ["tenant", "default", "1", "store"]
    assert "no keys for s3://results among the credentials of default" in section(publish_to="s3://results")
    file = mill.settings.home / "default" / FILE
    file.chmod(0o644)
    try:
        assert "none is used" in section() and "chmod 600" in section()
    finally:
        file.chmod(0o600)


def test_the_disguises_of_a_secret_are_found() -> None:
    code = f"import base64; print(base64.b64encode(b'Authorization: Basic ann:{SECRET}').decode())"
    assert secrets.holds(subprocess.check_output([sys.executable, "-c", code]), SECRET)
    assert secrets.holds(SECRET.encode(), SECRET) and not secrets.holds(b"something else", SECRET)


def test_a_process_that_shows_a_secret_is_found() -> None:
    with subprocess.Popen(["sleep", "60"], env={"A": SECRET}) as shown:
        try:
            assert secrets.processes(SECRET) == {f"{shown.pid} environ"}
        finally:
            shown.kill()
