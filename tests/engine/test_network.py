"""A job's only way out is its proxy, whatever the job is and whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import leaks
from support.hostile import Site, site
from support.mills import WITHOUT_NAMESPACES, Mill, serving
from support.waiting import until

from geomill.app.config import Settings
from geomill.app.engine import isolation, reaper
from geomill.jobstore import Status

PROCESSES = '''
import json, os, socket, subprocess, sys, time
from pathlib import Path
from typing import Annotated
from geomill.processes import Fetch, File, Progress, process


def tried(code):
    """What code makes of `out`; the error where it raises."""
    scope = {}
    try:
        exec(code, scope)
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return str(scope["out"])


@process
def run_code(code: str) -> str:
    """Run code."""
    return tried(code)


@process(network="host")
def run_on_host(code: str) -> str:
    """Run code in the network of the host."""
    return tried(code)


@process
def fetched(href: str, fetch: Fetch) -> str:
    """Fetch by the server's own means."""
    return fetch(href).read_text()


@process
def given(file: Annotated[Path, File("A file", "text/plain")]) -> str:
    """Give back a file."""
    return file.read_text()


@process
def twice(href: str, progress: Progress) -> list[str]:
    """Fetch, wait for a file to appear, and fetch again."""
    import urllib.request
    first = urllib.request.urlopen(href).read().decode()
    progress(50, "waiting")
    while not os.path.exists("go"):
        time.sleep(0.01)
    return [first, urllib.request.urlopen(href).read().decode()]
'''
NETWORKS = isolation.networks_allowed()  # asked before there are threads
CURL = "import subprocess; out = subprocess.check_output(['curl', '-sS', '{href}'], text=True)"
URLLIB = "import urllib.request; out = urllib.request.urlopen('{href}').read().decode()"
REQUESTS = "import requests; out = requests.get('{href}').text"
RAW = """
import socket
with socket.create_connection({address}, 3) as link:
    link.sendall(b'GET /secret HTTP/1.0\\r\\n\\r\\n')
    out = link.makefile().read()
"""


def start(folder: Path, prefix: tuple[str, ...] = (), **environment: str) -> Any:
    (folder / "mine").mkdir()
    (folder / "mine/mine.py").write_text(PROCESSES)
    settings = Settings(home=folder / "home", runtime_dir=folder / "run", processes=(folder / "mine",))
    return serving(settings, shared=True, prefix=prefix, **environment)


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    with site() as found:
        found.page("/secret", b"the page")
        yield found


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory, web: Site) -> Iterator[Mill]:
    """A server that allows nothing."""
    if not NETWORKS:
        pytest.skip("this host allows no networks of one's own")
    with start(tmp_path_factory.mktemp("closed")) as running:
        yield running


@pytest.fixture(scope="module")
def open_mill(tmp_path_factory: pytest.TempPathFactory, web: Site) -> Iterator[Mill]:
    """A server that allows the page's host."""
    with start(tmp_path_factory.mktemp("open"), allow=web.address, max_running="4") as running:
        yield running


@pytest.fixture(scope="module")
def bare_mill(tmp_path_factory: pytest.TempPathFactory, web: Site) -> Iterator[Mill]:
    """A server on a host without namespaces."""
    with start(tmp_path_factory.mktemp("bare"), WITHOUT_NAMESPACES, allow=web.address) as running:
        yield running


def value(mill: Mill, process: str, **inputs: Any) -> str:
    reply = mill.call("POST", f"/processes/{process}/execution", {"inputs": inputs})
    assert reply.status == 200, reply.data
    return str(reply.data.decode())


def log(mill: Mill, job_id: str) -> str:
    return str(mill.call("GET", f"/jobs/{job_id}/logs").data.decode())


@pytest.mark.parametrize("code", [URLLIB, REQUESTS, CURL])
def test_programs_find_the_proxy_by_themselves(open_mill: Mill, web: Site, code: str) -> None:
    assert value(open_mill, "run-code", code=code.format(href=f"{web.url}/secret")) == "the page"


@pytest.mark.parametrize("code", [URLLIB, REQUESTS])
def test_what_is_not_allowed_is_refused_with_a_reason(mill: Mill, web: Site, code: str) -> None:
    web.asked.clear()
    job_id = mill.submit("run-code", code=code.format(href=f"{web.url}/secret"))
    assert mill.ended(job_id).status is Status.SUCCESSFUL
    told = json.dumps(mill.call("GET", f"/jobs/{job_id}/results").json())
    assert "Forbidden" in told or "is not a public address" in told
    why = f"network: {web.url}/secret is refused: 127.0.0.1 is not a public address. List it in GEOMILL_ALLOW"
    assert log(mill, job_id).startswith(why) and web.asked == []


def test_without_the_proxy_there_is_nothing(mill: Mill, open_mill: Mill, web: Site) -> None:
    """Nor where the address is allowed: that is for the proxy."""
    host, _, port = web.address.partition(":")
    web.asked.clear()
    for running in (mill, open_mill):
        told = value(running, "run-code", code=RAW.format(address=(host, int(port))))
        assert told.startswith("ConnectionRefusedError"), told
        bypass = "import urllib.request as u; out = u.build_opener(u.ProxyHandler({{}})).open('{href}').read().decode()"
        assert "refused" in value(running, "run-code", code=bypass.format(href=web.url))
    assert web.asked == []


@pytest.mark.parametrize(
    "code",
    [
        RAW.format(address=("192.0.2.1", 80)),
        RAW.format(address=("169.254.169.254", 80)),
        RAW.format(address=("2001:db8::1", 80)),
        "import socket; out = socket.getaddrinfo('geomill.invalid', 80)",
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('192.0.2.1', 53))",
        "import socket; s = socket.create_connection(('192.0.2.1', 53), 3)",
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('\\0geomill-abstract')",
        "import subprocess; subprocess.run(['curl', '--noproxy', '*', '-sS', '192.0.2.1'], check=True)",
    ],
)
def test_no_other_way_leads_out(mill: Mill, code: str) -> None:
    """Names by DNS, datagrams, connections, sockets of others: there is no interface but an empty loopback."""
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0geomill-abstract")
        abstract.listen()
        told = value(mill, "run-code", code=f"{code}\nout = 'reached'")
    assert any(word in told for word in ("unreachable", "resol", "refused", "CalledProcessError")), told


def test_a_process_that_says_so_is_in_the_network_of_the_host(mill: Mill, web: Site) -> None:
    host, _, port = web.address.partition(":")
    assert value(mill, "run-on-host", code=RAW.format(address=(host, int(port)))).endswith("the page")
    assert "403" in value(mill, "run-on-host", code=URLLIB.format(href=f"{web.url}/secret"))  # the rules are the same


def test_inputs_and_fetched_files_come_the_same_way(open_mill: Mill, web: Site) -> None:
    href = f"{web.url}/secret"
    assert value(open_mill, "given", file={"href": href}) == "the page"
    assert value(open_mill, "fetched", href=href) == "the page"


def test_a_name_that_leads_inside_is_refused_to_an_input_by_the_proxy(mill: Mill) -> None:
    """Only a look into the names that the host knows tells, and the job cannot take it."""
    name = socket.gethostname()
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(name, 80)}
    except OSError:
        pytest.skip("this host does not know its own name")
    if not all(address.startswith(("127.", "10.", "192.168.", "172.")) or ":" in address for address in found):
        pytest.skip("this host's name leads to a public address")
    reply = mill.call("POST", "/processes/given/execution", {"inputs": {"file": {"href": f"http://{name}/x"}}})
    assert reply.status == 400 and b"not a public address" in reply.data, reply.data


# ---- who is killed


def proxies(mill: Mill) -> list[int]:
    """The proxies of running jobs."""
    dispatcher = mill.dispatcher()
    assert dispatcher
    return [pid for pid in reaper.descendants(dispatcher) if leaks.running_name(pid) == "geomill-proxy"]


def test_a_job_that_asks_nobody_has_no_proxy(open_mill: Mill) -> None:
    job_id = open_mill.submit("run-code", code="import time; time.sleep(60)")
    until(lambda: open_mill.store.status(job_id).status is Status.RUNNING)
    assert proxies(open_mill) == []
    assert open_mill.call("DELETE", f"/jobs/{job_id}").status == 200


def test_after_the_proxy_was_killed_the_next_connection_works(open_mill: Mill, web: Site) -> None:
    job_id = open_mill.submit("twice", href=f"{web.url}/secret")
    open_mill.message(job_id, "waiting")
    (proxy,) = proxies(open_mill)
    os.kill(proxy, signal.SIGKILL)
    until(lambda: proxy not in proxies(open_mill))
    (open_mill.store.folder(job_id) / "work/go").touch()
    assert open_mill.ended(job_id).status is Status.SUCCESSFUL
    assert open_mill.call("GET", f"/jobs/{job_id}/results").json() == {"result": ["the page", "the page"]}
    assert proxies(open_mill) == []


@pytest.mark.parametrize("how", ["dismissed", "supervisor killed"])
def test_the_proxy_ends_with_its_job(open_mill: Mill, web: Site, how: str) -> None:
    job_id = open_mill.submit("twice", href=f"{web.url}/secret")
    open_mill.message(job_id, "waiting")
    assert len(proxies(open_mill)) == 1
    if how == "dismissed":
        assert open_mill.call("DELETE", f"/jobs/{job_id}").status == 200
    else:
        os.kill(open_mill.store.read_status(job_id).pid or 0, signal.SIGKILL)
        open_mill.ended(job_id)
    until(lambda: proxies(open_mill) == [], 10)


def test_a_job_goes_on_by_its_proxy_when_the_dispatcher_is_killed(open_mill: Mill, web: Site) -> None:
    job_id = open_mill.submit("twice", href=f"{web.url}/secret")
    open_mill.message(job_id, "waiting")
    dispatcher = open_mill.dispatcher()
    assert dispatcher
    os.kill(dispatcher, signal.SIGKILL)
    leaks.share(until(lambda: pid if (pid := open_mill.dispatcher()) not in (None, dispatcher) else None))
    (open_mill.store.folder(job_id) / "work/go").touch()
    assert open_mill.ended(job_id).status is Status.SUCCESSFUL


# ---- hosts without namespaces


@pytest.mark.thorough
def test_without_namespaces_programs_are_told_of_a_proxy_that_others_cannot_use(bare_mill: Mill, web: Site) -> None:
    assert value(bare_mill, "run-code", code=URLLIB.format(href=f"{web.url}/secret")) == "the page"
    assert value(bare_mill, "given", file={"href": f"{web.url}/secret"}) == "the page"
    told = value(bare_mill, "run-code", code=URLLIB.format(href="http://127.0.0.1:1/"))
    assert "403" in told
    stripped = "import os, re; os.environ['http_proxy'] = re.sub('//.*@', '//', os.environ['http_proxy'])\n"
    assert "407" in value(bare_mill, "run-code", code=stripped + URLLIB.format(href=f"{web.url}/secret"))
