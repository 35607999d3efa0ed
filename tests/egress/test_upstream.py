"""Hosts behind a proxy: everything goes by that, but what is listed; its password stays where it was put."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from egress.conftest import Gateway, gateway  # type: ignore[import-not-found]
from egress.test_proxy import encrypted  # type: ignore[import-not-found]
from support.hostile import Site
from support.mills import serving

from geomill.app.config import Settings, SettingsError
from geomill.app.egress.upstream import Upstream
from geomill.app.guard import Guard, Refused, Unreachable

PASSWORD = "s3cret-of-the-proxy"
PROCESSES = '''
import gc, json, os, urllib.request
from geomill.processes import process

@process
def look(href: str) -> list[str]:
    """Fetch something, and give the environment."""
    return [urllib.request.urlopen(href).read().decode(), json.dumps(dict(os.environ))]
'''


def unknown(host: str, port: int) -> list[str]:
    """A host without names, as many behind proxies are."""
    raise OSError("no such name")


@pytest.fixture
def corporate(web: Site) -> Iterator[Gateway]:
    """The proxy of somebody else, who knows names that nobody here does: all lead to the page."""
    everywhere = Guard(allow=["public.example", web.address], resolve=lambda *_: ["127.0.0.1"])
    with gateway(everywhere, token=PASSWORD) as gate:
        yield gate


def by(corporate: Gateway, password: str = PASSWORD) -> Upstream:
    found = Upstream.of(f"http://job:{password}@127.0.0.1:{corporate.port}")
    assert found
    return found


def port(web: Site) -> str:
    return web.address.rpartition(":")[2]


def test_a_name_that_the_proxy_alone_knows_is_fetched_by_it(corporate: Gateway, web: Site, tmp_path: Path) -> None:
    web.page("/a", b"pixels")
    guard = Guard(upstream=by(corporate), resolve=unknown)
    assert guard.fetch(f"http://public.example:{port(web)}/a", tmp_path).path.read_bytes() == b"pixels"
    with pytest.raises(Unreachable, match="no such name"):
        Guard(resolve=unknown).fetch(f"http://public.example:{port(web)}/a", tmp_path)


def test_https_goes_by_connect(
    corporate: Gateway, secured: ssl.SSLContext, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere = Guard(allow=["data.example"], resolve=lambda *_: ["127.0.0.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    with encrypted(secured) as there, gateway(everywhere, token=PASSWORD) as gate:
        guard = Guard(upstream=by(gate), resolve=unknown)
        assert guard.fetch(f"https://data.example:{there}/a", tmp_path).path.read_bytes() == b"secret pixels"


def test_what_is_listed_is_reached_directly(corporate: Gateway, web: Site, tmp_path: Path) -> None:
    web.page("/a", b"pixels")
    nowhere = Upstream("127.0.0.1", 1)
    guard = Guard(allow=["intranet.example"], upstream=nowhere, resolve=lambda *_: ["127.0.0.1"])
    assert guard.fetch(f"http://intranet.example:{port(web)}/a", tmp_path).path.read_bytes() == b"pixels"
    with pytest.raises(Unreachable, match="does not answer"):
        Guard(upstream=nowhere, resolve=unknown).fetch("http://public.example/a", tmp_path)


@pytest.mark.parametrize("found", [["10.0.0.1"], ["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"]])
def test_what_this_host_knows_to_be_private_is_not_asked_for(found: list[str], corporate: Gateway, web: Site) -> None:
    """Nor what is private in part: nobody knows which address the proxy would take."""
    guard = Guard(upstream=by(corporate), resolve=lambda *_: found)
    for href in (f"http://public.example:{port(web)}/a", "http://10.0.0.1/", "http://[::ffff:127.0.0.1]/"):
        with pytest.raises(Refused):
            guard.way(guard.target(href))
    assert corporate.said == [] and web.asked == []


def test_a_proxy_that_refuses_is_told_by_its_name(corporate: Gateway, tmp_path: Path) -> None:
    guard = Guard(upstream=by(corporate, "wrong"), resolve=unknown)
    with pytest.raises(Unreachable, match=r"The proxy 127\.0\.0\.1 does not lead to public\.example: it answered 407"):
        guard.fetch("https://public.example/a", tmp_path)
    with pytest.raises(Unreachable, match="answered 407"):
        guard.fetch("http://public.example/a", tmp_path)


def test_a_job_goes_by_its_own_proxy_and_then_by_the_other(
    corporate: Gateway, web: Site, secured: ssl.SSLContext, certificate: Path
) -> None:
    web.page("/a", b"pixels")
    with gateway(Guard(upstream=by(corporate), resolve=unknown)) as gate:
        assert gate.curl(f"http://public.example:{port(web)}/a").stdout == "pixels"
        assert gate.curl("-p", f"http://public.example:{port(web)}/a").stdout == "pixels"  # by CONNECT
        assert "403" in gate.curl("http://10.0.0.1/", "-i").stdout
        assert gate.curl("-p", "http://refused.example:1234/a").returncode == 56
        assert "answered 403" in gate.said[-1]
    assert PASSWORD not in "".join(gate.said)


@pytest.mark.parametrize(
    "url",
    ["https://proxy.example:1", "proxy.example:3128", "http://", "http://a:b@", "http://a:port", "socks5://a:1",
     f"ftp://job:{PASSWORD}@proxy.example", f"http://job:{PASSWORD}@proxy.example/x?y", "http://a:99999"],
)  # fmt: skip
def test_what_is_no_proxy_is_said_without_its_password(url: str, tmp_path: Path) -> None:
    given = {"GEOMILL_HOME": str(tmp_path), "GEOMILL_UPSTREAM_PROXY": url}
    with pytest.raises(SettingsError, match="GEOMILL_UPSTREAM_PROXY: expected an address") as error:
        Settings.load(given)
    assert PASSWORD not in str(error.value)


def test_a_password_with_odd_letters_is_written_as_in_any_address() -> None:
    found = Upstream.of("http://me:p%40ss%3A@proxy.example")
    assert found == Upstream("proxy.example", 3128, "me:p@ss:") and "p@ss" not in repr(found)
    assert found.headers() == {"Proxy-Authorization": "Basic bWU6cEBzczo="}


@pytest.mark.thorough
def test_the_password_is_nowhere_to_be_found(corporate: Gateway, web: Site, tmp_path: Path) -> None:
    """In what is kept, said, logged, or given to a job."""
    web.page("/a", b"pixels")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/mine.py").write_text(PROCESSES)
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", processes=(tmp_path / "mine",))
    given = {"upstream_proxy": f"http://job:{PASSWORD}@127.0.0.1:{corporate.port}"}
    with serving(settings, **given) as mill:
        href = f"http://public.example:{port(web)}/a"
        reply = mill.call("POST", "/processes/look/execution", {"inputs": {"href": href}})
        assert reply.status in (200, 500), reply.data
        assert PASSWORD not in reply.data.decode() and "GEOMILL" not in reply.data.decode()
        job_id = str(mill.call("GET", "/jobs").json()["jobs"][0]["jobID"])
        assert PASSWORD not in mill.call("GET", f"/jobs/{job_id}/logs").data.decode()
        kept = [path for folder in ("home", "run") for path in (tmp_path / folder).rglob("*") if path.is_file()]
        assert kept and not [path for path in kept if PASSWORD.encode() in path.read_bytes()]
    environment = {**os.environ, **{f"GEOMILL_{name.upper()}": value for name, value in given.items()}}
    command = [sys.executable, "-P", "-m", "geomill.app.cli", "doctor", "--home", str(settings.home)]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120).stdout
    assert f"http://...@127.0.0.1:{corporate.port}" in told and PASSWORD not in told
