"""Packages written down, deployed and run on a server, for tests."""

from __future__ import annotations

import json
import textwrap
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3
from support.mills import Mill

PYTHON = "/usr/bin/python3"  # which everybody may run, unlike that of the tests
CWL = "application/cwl+yaml"

Json = dict[str, Any]


def tool(script: str, outputs: Any = (), inputs: Any = (), **more: Any) -> Json:
    """A command line tool: a script of Python in a folder of its own. outputs, inputs: as CWL has them."""
    document = {
        "cwlVersion": "v1.2", "class": "CommandLineTool", "baseCommand": [PYTHON, "-c"],
        "arguments": [textwrap.dedent(script)], "inputs": inputs or {}, "outputs": outputs or {},
    }  # fmt: skip
    return document | more


def expression(script: str, outputs: Any, inputs: Any = ()) -> Json:
    """An expression tool. script: the body of a function."""
    return {
        "cwlVersion": "v1.2", "class": "ExpressionTool", "requirements": {"InlineJavascriptRequirement": {}},
        "inputs": inputs or {}, "outputs": outputs, "expression": "${" + script + "}",
    }  # fmt: skip


def workflow(steps: Json, outputs: Json, inputs: Any = (), **more: Any) -> Json:
    """A workflow with its tools inside."""
    features = ("StepInputExpressionRequirement", "InlineJavascriptRequirement", "ScatterFeatureRequirement")
    document = {
        "cwlVersion": "v1.2", "class": "Workflow", "requirements": {name: {} for name in features},
        "inputs": inputs or {}, "steps": steps, "outputs": outputs,
    }  # fmt: skip
    return document | more


def glob(pattern: str, type_: str = "File") -> Json:
    """An output that is found by its name."""
    return {"type": type_, "outputBinding": {"glob": pattern}}


def send(mill: Mill, document: Json | str | bytes, name: str) -> urllib3.BaseHTTPResponse:
    """Deploy a package under a name, whatever comes of it."""
    content = json.dumps(document).encode() if isinstance(document, dict) else document
    with urllib3.PoolManager(retries=False, timeout=60) as pool:
        url = f"{mill.url}/processes?w={name}"
        return pool.request("POST", url, body=content, headers={"Content-Type": CWL})


def deploy(mill: Mill, document: Json | str | bytes, name: str) -> None:
    """Deploy a package that is accepted."""
    reply = send(mill, document, name)
    assert reply.status == 201, reply.data.decode()


def run(mill: Mill, document: Json | str | bytes, name: str, seconds: float = 30.0, **inputs: Any) -> Json:
    """Deploy and run a package: the status of its job when it has ended."""
    deploy(mill, document, name)
    job_id = mill.submit(name, **inputs)
    mill.ended(job_id, seconds)
    return mill.status(job_id)


def text(mill: Mill, job_id: str) -> str:
    """All that anybody can read of a job: its status, its logs, its results."""
    status = mill.status(job_id)
    paths = [f"/jobs/{job_id}{rest}" for rest in ("", "/logs", "/events", "/results")]
    paths += [link["href"].removeprefix(mill.url) for link in status["links"] if "/logs/" in link["href"]]
    found = [mill.call("GET", path).data.decode(errors="replace") for path in paths]
    if status["status"] == "successful":
        found += [path.read_text(errors="replace") for path in outputs(mill, job_id) if path.stat().st_size < 1 << 20]
    return "\n".join(found)


def outputs(mill: Mill, job_id: str) -> list[Any]:
    """The published files of a job."""
    folder = mill.store.folder(job_id) / "outputs"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def events(mill: Mill, job_id: str) -> list[Json]:
    """What happened to the steps of a job."""
    return list(mill.call("GET", f"/jobs/{job_id}/events").json()["events"])


@dataclass
class Site:
    """A web server on loopback. pages: path -> (status, headers, body); asked: the paths that were asked for."""

    pages: dict[str, tuple[int, Mapping[str, str], bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""
    held: set[str] = field(default_factory=set)
    free: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{self.address}"

    def page(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> str:
        """Put a page there: its address. Names of headers are written with an underscore."""
        self.pages[path] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        return self.url + path

    def hold(self, path: str) -> None:
        """Let whoever asks for this path wait for an answer."""
        self.free.clear()
        self.held.add(path)

    def release(self) -> None:
        """Go on."""
        self.held.clear()
        self.free.set()


class _Pages(BaseHTTPRequestHandler):
    def __init__(self, site: Site, *args: Any) -> None:
        self.site = site
        super().__init__(*args)

    def do_GET(self) -> None:
        self.site.asked.append(self.path)
        if self.path in self.site.held:
            self.site.free.wait(60)
        status, headers, body = self.site.pages.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | dict(headers)).items():
            self.send_header(name, value)
        with suppress(OSError):  # whoever asked has gone
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def site(host: str = "127.0.0.1", port: int = 0) -> Iterator[Site]:
    """A web server, on loopback, for as long as it is needed."""
    found = Site()
    server = ThreadingHTTPServer((host, port), partial(_Pages, found))
    found.address = f"{host}:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    try:
        yield found
    finally:
        found.release()
        server.shutdown()
        server.server_close()
