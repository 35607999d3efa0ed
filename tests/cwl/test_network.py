"""What a tool that asks for the network reaches: its proxy, and by that what the server allows."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from support.hostile import Json, Site, deploy, glob, outputs, text, tool
from support.mills import Mill

NETWORK = {"NetworkAccess": {"networkAccess": True}}
O = {"o": glob("o")}  # noqa: E741
TRY = """
import os, socket, subprocess, sys, urllib.request
def tried(what):
    try:
        return str(what())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
def fetch(href):
    return urllib.request.urlopen(href, timeout=20).read().decode()
def raw(host, port):
    with socket.create_connection((host, int(port)), 5) as link:
        link.sendall(b"GET /secret HTTP/1.0\\r\\n\\r\\n")
        return link.makefile().read()
def sent(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        return link.sendto(b"x", (host, int(port)))
"""


def asked(server: Mill, name: str, script: str, requirements: Json | None = None, **more: Any) -> str:
    """What a tool writes that is deployed and run."""
    deploy(server, tool(TRY + script, O, requirements=NETWORK if requirements is None else requirements, **more), name)
    job_id = server.submit(name)
    assert server.ended(job_id, 60).status.value == "successful", text(server, job_id)
    (path,) = outputs(server, job_id)
    return str(path.read_text())


def write(*expressions: str) -> str:
    """A script that writes what comes of each, a line each."""
    lines = "\n".join(f"print(tried(lambda: {expression}), file=o)" for expression in expressions)
    return "with open('o', 'w') as o:\n" + "\n".join(f"    {line}" for line in lines.split("\n"))


def test_what_is_allowed_is_reached_by_the_proxy_alone(server: Mill, name: str, web: Site) -> None:
    web.page("/secret", b"the page")
    host, _, port = web.address.partition(":")
    curl = f"subprocess.check_output(['curl', '-sS', '{web.url}/secret'], text=True)"
    said = asked(server, name, write(f"fetch('{web.url}/secret')", curl, f"raw('{host}', {port})"))
    assert said.splitlines()[:2] == ["the page", "the page"]
    assert said.splitlines()[2].startswith("ConnectionRefusedError")


def test_a_tool_that_does_not_ask_has_no_proxy(server: Mill, name: str, web: Site) -> None:
    web.page("/secret", b"the page")
    said = asked(server, name, write(f"fetch('{web.url}/secret')", "os.environ.get('http_proxy')"), {})
    first, second = said.splitlines()
    assert "refused" in first and second == "None"


def test_what_is_not_allowed_is_not_reached_in_any_way(server: Mill, name: str, closed_web: Site) -> None:
    closed_web.page("/secret", b"never")
    host, _, port = closed_web.address.partition(":")
    ways = [f"fetch('{closed_web.url}/secret')", f"raw('{host}', {port})", "sent('192.0.2.1', 53)",
            "raw('192.0.2.1', 80)", "raw('169.254.169.254', 80)", "raw('2001:db8::1', 80)",
            "socket.getaddrinfo('geomill.invalid', 80)", "raw('geomill.invalid', 53)"]  # fmt: skip
    said = asked(server, name, write(*ways)).splitlines()
    assert len(said) == len(ways) and said[0] == "HTTPError: HTTP Error 403: Forbidden"
    assert all(line.startswith(("ConnectionRefusedError", "OSError", "gaierror")) for line in said[1:]), said
    assert closed_web.asked == []


def test_what_listens_on_the_host_without_a_path_is_not_reached(server: Mill, name: str) -> None:
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        said = asked(server, name, write(f"socket.socket(socket.AF_UNIX).connect(chr(0) + '{name}')"))
    assert said.startswith("ConnectionRefusedError")


def test_the_reason_of_a_refusal_is_in_the_log_of_the_job(server: Mill, name: str) -> None:
    deploy(server, tool(TRY + "fetch('http://169.254.169.254/latest/meta-data/')", requirements=NETWORK), name)
    job_id = server.submit(name)
    server.ended(job_id, 60)
    log = server.call("GET", f"/jobs/{job_id}/logs").data.decode()
    assert "network: http://169.254.169.254/latest/meta-data/ is refused: 169.254.169.254 is not a public" in log


@pytest.mark.parametrize("proxied", [True, False])
def test_side_by_side_steps_share_the_way_out_of_their_job_and_no_other(
    server: Mill, name: str, web: Site, proxied: bool
) -> None:
    web.page("/secret", b"the page")
    code = f"fetch('{web.url}/secret')" if proxied else "raw('127.0.0.1', os.environ['http_proxy'].rpartition(':')[2])"
    said = asked(server, name, write(*[code] * 8))
    assert said.count("the page") == (8 if proxied else 0)
    assert proxied or said.count("400 Bad Request") == 8  # asked directly the proxy is no server
