"""Jobs, packages and callers that are after the secrets of their tenant, or of another."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import mills, secrets
from support.mills import Mill
from support.web import pages

from geomill.app.config import Settings
from geomill.app.credentials import FILE, Credential, Credentials
from geomill.app.engine.isolation import namespaces_allowed
from geomill.app.sandbox import bubblewrap

SECRET = f"s3cr3t-{os.urandom(9).hex()}"
SIGNATURE = os.urandom(16).hex()
DISGUISED = bytes(each ^ 1 for each in SECRET.encode()).hex()
PROCESSES = '''
import os, resource
from pathlib import Path
from typing import Annotated
from geomill.processes import File, process

Text = Annotated[Path, File("A text", "text/plain")]

@process
def read(path: str, text: Text) -> dict:
    """Try to read a file of the server, and say what a crash would leave."""
    try:
        found = Path(path).read_text()
    except OSError as error:
        found = f"errno {error.errno}"
    return {"found": found, "core": resource.getrlimit(resource.RLIMIT_CORE)[0], "text": text.read_text()}

@process
def fall(text: Text) -> int:
    """Be ended by a signal that leaves a core where there may be one."""
    os.abort()

@process
def link(path: str) -> Text:
    """Give a file of the server as its own."""
    Path("mine.txt").symlink_to(path)
    return Path("mine.txt")
'''
# reads the memory of some processes, or of all that it can see, and tells how often the needle is in it
SEARCH = r"""
import glob, os, re, sys
seen = hits = 0
for place in ['/proc/' + pid for pid in sys.argv[2:]] or glob.glob('/proc/[0-9]*'):
    if int(place[6:]) == os.getpid():
        continue
    try:
        maps = open(place + '/maps').read()
        memory = open(place + '/mem', 'rb', 0)
    except OSError:
        continue
    for low, high in re.findall(r'^(\w+)-(\w+) rw', maps, re.M):
        try:
            memory.seek(int(low, 16))
            content = memory.read(min(int(high, 16) - int(low, 16), 1 << 26))
        except (OSError, ValueError, OverflowError):
            continue
        seen += 1
        hits += content.count(bytes(each ^ 1 for each in bytes.fromhex(sys.argv[1])))
print('hits', hits, 'of', seen, 'in', len(glob.glob('/proc/[0-9]*')))
"""
SEARCHING = {
    "cwlVersion": "v1.2", "class": "CommandLineTool", "id": "search",
    "baseCommand": ["python3", "-c", SEARCH, DISGUISED],
    "inputs": {"text": "File"}, "outputs": {"found": {"type": "stdout"}}, "stdout": "found.txt",
}  # fmt: skip
ASKING = {
    "cwlVersion": "v1.2", "class": "CommandLineTool", "id": "ask", "baseCommand": ["cat"],
    "requirements": {"InlineJavascriptRequirement": {}},
    "inputs": {"text": {"type": "File", "inputBinding": {}}},
    "arguments": [{"valueFrom": "${throw JSON.stringify([inputs, runtime, self, Object.keys(this)]);}"}],
    "outputs": {"found": {"type": "stdout"}},
}  # fmt: skip


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    private = {"/a.txt": (200, {}, b"a text"), f"/a.txt?X-Amz-Signature={SIGNATURE}": (200, {}, b"a text")}
    with pages(private) as url:
        yield url


def started(root: Path, host: str, **more: str) -> Iterator[Mill]:
    """A server whose default tenant has a credential for a host; root has to be a folder that all may enter."""
    (root / "processes").mkdir()
    (root / "processes" / "trying.py").write_text(PROCESSES)
    settings = Settings(root / "home", root / "run", processes=(root / "processes",))
    with mills.serving(settings, "--workers", "1", shared=True, allow="127.0.0.1", **more) as running:
        known = Credentials(root / "home/default" / FILE)
        known.add(Credential("host", host, "bearer", secret=SECRET))
        yield running


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory, host: str) -> Iterator[Mill]:
    yield from started(tmp_path_factory.mktemp("mill"), host)


def place(mill: Mill) -> Path:
    return mill.settings.home / "default" / FILE


def kept_to_itself(mill: Mill) -> bool:
    roots = (mill.settings.home, mill.settings.runtime_dir)
    return secrets.files(*roots, secret=SECRET) == {place(mill)} and not secrets.processes(SECRET)


def told(mill: Mill, job_id: str) -> str:
    """What a job gave, said and failed with."""
    info = mill.ended(job_id, 60)
    texts = [path.read_text(errors="replace") for path in mill.store.folder(job_id).rglob("*") if path.is_file()]
    return "\n".join([str(info), *texts])


@pytest.mark.parametrize("href", ["file://{}", "file://localhost{}", "FILE://{}", "s3://..{}", "file:///proc/1/root{}"])
def test_the_file_is_no_input(mill: Mill, href: str) -> None:
    body = {"inputs": {"path": "", "text": {"href": href.format(place(mill))}}}
    assert mill.call("POST", "/processes/read/execution", body).status == 400


def test_nor_an_output(mill: Mill) -> None:
    job_id = mill.submit("link", path=str(place(mill)))
    assert mill.ended(job_id).cause == "result" and kept_to_itself(mill)


@pytest.mark.parametrize(
    "path",
    [
        "/default/credentials.json", "/jobs/../credentials.json", "/static/../credentials.json",
        "/jobs/%2e%2e/credentials.json", "/processes/..%2fcredentials.json/package",
    ],
)  # fmt: skip
def test_nor_a_resource(mill: Mill, path: str) -> None:
    reply = mill.call("GET", path)
    assert reply.status == 404 and not secrets.holds(reply.data, SECRET)


def test_a_crash_leaves_no_core(mill: Mill, host: str) -> None:
    seen = mill.call("POST", "/processes/read/execution", {"inputs": {"path": "", "text": {"href": f"{host}/a.txt"}}})
    assert seen.json()["core"] == 0, seen.data
    job_id = mill.submit("fall", text={"href": f"{host}/a.txt"})
    assert mill.ended(job_id).cause == "signal" and kept_to_itself(mill)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may read all memory")
def test_who_may_look_finds_it_in_the_memory_of_these_tests() -> None:
    found = subprocess.check_output([sys.executable, "-c", SEARCH, DISGUISED, str(os.getpid())], text=True)
    assert int(found.split()[1]) > 0, found


@pytest.mark.skipif(bool(bubblewrap.closed()), reason="no sandbox here")
def test_a_tool_finds_it_in_no_memory(mill: Mill, host: str) -> None:
    mill.call("POST", "/processes", SEARCHING, Content_Type="application/cwl+json")
    text = told(mill, mill.submit("search", text={"href": f"{host}/a.txt"}))
    assert "hits 0 of" in text, text


@pytest.mark.skipif(bool(bubblewrap.closed()), reason="no sandbox here")
def test_an_expression_knows_nothing_of_it(mill: Mill, host: str) -> None:
    mill.call("POST", "/processes", ASKING, Content_Type="application/cwl+json")
    text = told(mill, mill.submit("ask", text={"href": f"{host}/a.txt"}))
    assert "runtime" not in text or not secrets.holds(text.encode(), SECRET)
    assert kept_to_itself(mill)


@pytest.mark.parametrize("process, path", [("read", "/a.txt"), ("read", "/none.txt"), ("ask", "/none.txt")])
def test_the_signature_of_a_caller_is_in_his_request_alone(mill: Mill, host: str, process: str, path: str) -> None:
    if process == "ask":
        mill.call("PUT", "/processes/ask", ASKING, Content_Type="application/cwl+json")
        mill.call("POST", "/processes", ASKING, Content_Type="application/cwl+json")
    text = {"href": f"{host}{path}?X-Amz-Signature={SIGNATURE}"}
    job_id = mill.submit(process, text=text, **({"path": ""} if process == "read" else {}))
    mill.ended(job_id, 60)
    folder = mill.store.folder(job_id)
    assert secrets.files(mill.settings.home, secret=SIGNATURE) >= {folder / "request.json"}
    others = {path.name for path in secrets.files(mill.settings.home, mill.settings.runtime_dir, secret=SIGNATURE)}
    assert others == {"request.json"}
    for resource in ("", "/prov", "/prov?f=xml", "/ro-crate.zip", "/logs", "/results"):
        assert not secrets.holds(mill.call("GET", f"/jobs/{job_id}{resource}").data, SIGNATURE)


def test_a_host_that_repeats_what_it_heard_in_its_refusal_is_not_quoted(tmp_path: Path, mill: Mill) -> None:
    import socket
    import threading

    listener = socket.create_server(("127.0.0.1", 0))
    at = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def answer() -> None:
        link = listener.accept()[0]
        with link:
            heard = link.recv(65536).decode()
            said = next(line for line in heard.splitlines() if line.lower().startswith("authorization"))
            link.sendall(f"HTTP/1.1 403 {said}\r\nX-Said: {said}\r\nContent-Length: 0\r\n\r\n".encode())

    thread = threading.Thread(target=answer)
    thread.start()
    known = Credentials(place(mill))
    known.add(Credential("echo", at, "bearer", secret=SECRET))
    try:
        text = told(mill, mill.submit("read", path="", text={"href": f"{at}/a.txt"}))
        assert "403 Forbidden" in text and SECRET not in text and kept_to_itself(mill)
    finally:
        thread.join(10)
        listener.close()
        known.remove("echo")


def test_a_file_that_was_swapped_for_a_link_is_not_followed(mill: Mill, host: str) -> None:
    real, other = place(mill), mill.settings.home.parent / "theirs.json"
    other.write_text(json.dumps({"host": {"pattern": host, "kind": "bearer", "secret": "another"}}))
    other.chmod(0o600)
    moved = real.rename(real.with_name("kept"))
    real.symlink_to(other)
    try:
        text = told(mill, mill.submit("read", path="", text={"href": f"{host}/a.txt"}))
        assert "cannot be used" in text and "another" not in text
    finally:
        real.unlink()
        moved.rename(real)


def test_no_name_of_a_tenant_leads_to_the_credentials_of_another(mill: Mill, host: str) -> None:
    for tenant in ("acme", "default-2"):
        told_there = told(mill.of(tenant), mill.of(tenant).submit("read", path="", text={"href": f"{host}/a.txt"}))
        assert "a text" in told_there  # which is for everybody
    for name in ("..", "../default", "DEFAULT", "default%2f..", "%2e%2e"):
        assert mill.call("POST", f"/{name}/ogc-api/processes/read/execution", {"inputs": {}}).status in (400, 404, 405)
    assert kept_to_itself(mill)


@pytest.mark.skipif(os.geteuid() != 0 or not namespaces_allowed(), reason="only root can become somebody else")
def test_code_that_runs_as_another_user_cannot_read_the_file(tmp_path: Path, host: str) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    pwd.getpwnam("nobody")
    for mill in started(tmp_path, host, job_user="nobody"):
        body = {"inputs": {"path": str(place(mill)), "text": {"value": "inline", "mediaType": "text/plain"}}}
        seen = mill.call("POST", "/processes/read/execution", body)
        assert seen.json()["found"] == "errno 13", seen.data
