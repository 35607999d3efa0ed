"""geomill token, and what the other commands do with one."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from geomill.app.config import Settings
from geomill.app.identity.tokens import Tokens

TOKEN = "gm_0123abcd_" + "A" * 43


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOMILL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GEOMILL_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path / "home"


def test_a_token_is_printed_once(geomill, home):
    made = geomill("token", "create", "--name", "ann", "--role", "executor")
    assert re.fullmatch(r"gm_\w{8}_[\w-]{43}\n", made.stdout)
    assert "From now on" in made.stderr and "'reader'" in made.stderr
    assert Tokens(home).find(made.stdout.strip()).name == "ann"
    second = geomill("token", "create", "--name", "ben", "--role", "reader")
    assert second.stderr == ""
    assert made.stdout.strip() not in geomill("token", "ls").stdout + geomill("token", "ls", "--json").stdout


def test_tokens_are_listed(geomill, home):
    geomill("token", "create", "--name", "ann", "--role", "admin")
    geomill("token", "create", "--name", "ben", "--role", "reader", "--expires", "90d", "--tenant", "default")
    lines = geomill("token", "ls").stdout.splitlines()
    assert re.fullmatch(r"ann +admin +every tenant +for ever +good", lines[0])
    assert re.fullmatch(r"ben +reader +default +\d{4}-\d\d-\d\d [\d:]{8} +good", lines[1])
    listed = json.loads(geomill("token", "ls", "--json").stdout)
    assert [(each["name"], each["role"], each["tenant"]) for each in listed] == [
        ("ann", "admin", None),
        ("ben", "reader", "default"),
    ]


def test_credentials_and_tokens_are_listed_for_programs_when_there_are_none(geomill, home):
    for command in ("token", "credential"):
        assert json.loads(geomill(command, "ls", "--json").stdout) == []


def test_a_token_is_revoked_by_its_name(geomill, home):
    token = geomill("token", "create", "--name", "ann", "--role", "reader").stdout.strip()
    assert geomill("token", "revoke", "ann").stdout == "ann revoked\n"
    assert Tokens(home).find(token) is None
    again = geomill("token", "revoke", "ann")
    assert (again.exit_code, again.stderr) == (1, "Error: there is no token 'ann'; `geomill token ls` lists them\n")


@pytest.mark.parametrize(
    "options, told",
    [
        (["--name", "an n", "--role", "reader"], "--name: expected at most 64"),
        (["--name", "ann", "--role", "king"], "'king' is not one of"),
        (["--name", "ann"], "Missing option '--role'"),
        (["--name", "ann", "--role", "reader", "--expires", "soon"], "--expires: expected seconds above 0"),
        (["--name", "ann", "--role", "reader", "--expires", "0"], "--expires: expected seconds above 0"),
        (["--name", "ann", "--role", "reader", "--expires", "9999999999 d"], "--expires: expected"),
        (["--name", "ann", "--role", "reader", "--tenant", "acme"], "--tenant: there is no tenant 'acme'"),
    ],
)
def test_a_token_that_cannot_be_made_is_one_line(geomill, home, options, told):
    done = geomill("token", "create", *options)
    assert done.exit_code != 0 and told in done.stderr and not (home / "identity/tokens.json").exists()


class Keeper(BaseHTTPRequestHandler):
    """Notes what it was shown; redirects, or links to another server."""

    def do_GET(self):
        self.server.shown.append((self.path, self.headers.get("Authorization")))
        if self.server.elsewhere and self.path == "/processes":
            self.send_response(302)
            self.send_header("Location", f"{self.server.elsewhere}/moved")
            self.end_headers()
            return
        page = {"processes": [{"id": "echo", "version": "1"}], "links": []}
        if self.server.following and self.path == "/processes":
            page["links"].append({"rel": "next", "href": self.server.following})
        content = json.dumps(page).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def keeper():
    """Starts such a server: keeper().url, .shown (path, Authorization)."""
    servers = []

    def start(elsewhere=None, following=None):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Keeper)
        server.shown, server.elsewhere, server.following = [], elsewhere, following
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_token_is_shown_to_the_server(geomill, keeper, monkeypatch):
    server = keeper()
    assert geomill("processes", "ls", "--server", server.url, "--token", TOKEN).exit_code == 0
    monkeypatch.setenv("GEOMILL_TOKEN", TOKEN)
    assert geomill("processes", "ls", "--server", server.url).exit_code == 0
    assert server.shown == [("/processes", f"Bearer {TOKEN}")] * 2


@pytest.mark.parametrize("way", ["elsewhere", "following"])
def test_a_token_is_shown_to_nobody_else(geomill, keeper, way):
    other = keeper()
    server = keeper(**{way: f"{other.url}/other" if way == "following" else other.url})
    assert geomill("processes", "ls", "--server", server.url, "--token", TOKEN).exit_code == 0
    assert other.shown == ([("/moved", None)] if way == "elsewhere" else [])  # pages of a list are asked for at home
    assert server.shown[0][1] == f"Bearer {TOKEN}"


def test_a_token_that_would_break_out_of_its_header_is_refused(geomill, keeper):
    server = keeper()
    done = geomill("processes", "ls", "--server", server.url, "--token", "a\nX-Evil: 1")
    assert done.exit_code == 1 and "the token has spaces" in done.stderr and server.shown == []


def test_no_command_shows_the_token(geomill, home, monkeypatch):
    monkeypatch.setenv("GEOMILL_TOKEN", TOKEN)
    for command in (["doctor"], ["processes", "ls", "--help"], ["processes", "ls", "--server", "http://127.0.0.1:9"]):
        done = geomill(*command)
        assert TOKEN not in done.stdout + done.stderr


def test_commands_on_this_host_need_no_token(geomill, home):
    geomill("token", "create", "--name", "ann", "--role", "reader")
    Settings.load({"GEOMILL_HOME": str(home), "GEOMILL_ANONYMOUS": "none", "GEOMILL_TOKEN": TOKEN})
    assert geomill("processes", "ls").exit_code == 0
    assert geomill("jobs", "ls").exit_code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_what_root_does_to_tokens_belongs_to_whom_the_home_does(tmp_path):
    root = Path(tempfile.mkdtemp(prefix="identity-"))  # which anybody may enter, unlike pytest's
    root.chmod(0o755)
    (root / "home").mkdir()
    os.chown(root / "home", 65534, 65534)
    environ = {**os.environ, "GEOMILL_HOME": str(root / "home"), "GEOMILL_RUNTIME_DIR": str(root / "run")}
    try:
        for arguments in (["create", "--name", "ann", "--role", "reader"], ["revoke", "ann"]):
            command = [sys.executable, "-P", "-m", "geomill.app.cli", "token", *arguments]
            done = subprocess.run(command, env=environ, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        made = [root / "home/identity", *(root / "home/identity").iterdir()]
        assert {path.name for path in made} >= {"identity", "tokens.json", "audit.jsonl"}
        assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(65534, 65534)}
    finally:
        shutil.rmtree(root)


def test_what_is_done_to_tokens_is_noted(geomill, home):
    geomill("token", "create", "--name", "ann", "--role", "reader")
    geomill("token", "revoke", "ann")
    noted = [json.loads(line) for line in (home / "identity/audit.jsonl").read_text().splitlines()]
    assert [(each["by"], each["operation"], each["name"]) for each in noted] == [
        ("local", "createToken", "ann"),
        ("local", "revokeToken", "ann"),
    ]


def test_what_a_command_on_this_host_changes_is_noted(geomill, home):
    assert geomill("processes", "undeploy", "none").exit_code == 1
    (noted,) = [json.loads(line) for line in (home / "identity/audit.jsonl").read_text().splitlines()]
    assert (noted["by"], noted["operation"], noted["process"], noted["status"]) == ("local", "undeploy", "none", 404)
