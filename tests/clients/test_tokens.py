"""Clients that show a token, as the page says, to a server that answers nobody without one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support import installs
from support.clients import NAMES, SECTIONS, TITLES, Client, tables
from support.mills import serving

from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens

SAID = {client: how.strip("`") for client, how in tables(SECTIONS["With a token"])["client"]}
LISTING = {
    "owslib": "from owslib.ogcapi.processes import Processes\nfound = [each['id'] for each in {}.processes()]",
    "ogc": "from ogc_api_processes_client import *\nconfiguration = Configuration(host=url)\n"
    "found = [each.id for each in ProcessListApi({}).get_processes().processes]",
    "unity": "from unity_sps_ogc_processes_api_python_client import *\nconfiguration = Configuration(host=url)\n"
    "found = [each.id for each in ProcessesApi({}).get_processes_processes_get().processes]",
    "cuiman": "from cuiman.api import Client\nfound = [each.id for each in {}.get_processes().processes]",
    "requests": "from requests import get\nfound = [each['id'] for each in {}.json()['processes']]",
}
EXECUTE = """
from ogc_api_processes_client.api_client_wrapper import ApiClientWrapper
from ogc_api_processes_client.exceptions import UnauthorizedException

server, body = ApiClientWrapper(configuration, "Authorization", f"Bearer {token}"), {"inputs": {"echoInput": "hi"}}
headers = {"Prefer": "respond-async"}
try:
    server.execute_simple("echo", body, _headers=headers)
except UnauthorizedException:
    server.execute_simple("echo", body, _headers={**headers, "Authorization": f"Bearer {token}"})
    found.append(server.get_jobs().jobs[0].process_id)
"""


@dataclass(frozen=True)
class Closed:
    """A server that is closed. token: opens it."""

    url: str
    token: str

    def asked(self, client: str, more: str = "") -> str:
        """Code that lists the processes with the token, as the page has it."""
        how = LISTING[client].replace("{}", SAID[TITLES.get(client, client)])
        return f"import json\nurl, token = {self.url!r}, {self.token!r}\n{how}\n{more}\nprint(json.dumps(found))"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    root = tmp_path_factory.mktemp("closed")
    settings = Settings(home=root / "home", runtime_dir=root / "run")
    with serving(settings, "--workers", "1", shared=True, anonymous="none") as mill:
        token = Tokens(settings.home).create("ann", Role.EXECUTOR, None, None)
        assert mill.call("GET", "/processes").status == 401
        yield Closed(mill.url, token)


@pytest.mark.parametrize("client", NAMES, indirect=True)
def test_a_client_shows_a_token(client: Client, closed: Closed) -> None:
    assert "echo" in json.loads(client.python(closed.asked(client.name)))


@pytest.mark.parametrize("client", ["ogc"], indirect=True)
def test_execute_simple_wants_the_token_among_its_headers(client: Client, closed: Closed) -> None:
    assert json.loads(client.python(closed.asked("ogc", EXECUTE)))[-1] == "echo"


def test_requests_shows_a_token(closed: Closed) -> None:
    assert "echo" in json.loads(installs.run(sys.executable, "-c", closed.asked("requests")))


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_shows_a_token(closed: Closed) -> None:
    variables = {"url": closed.url, "token": closed.token}
    done = subprocess.run(
        ["bash", "-c", SAID["curl"]], env=variables | {"PATH": os.environ["PATH"]}, capture_output=True
    )
    assert "echo" in {process["id"] for process in json.loads(done.stdout)["processes"]}
