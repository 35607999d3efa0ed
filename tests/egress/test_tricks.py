"""No trick leads anywhere, whoever tries it: an input, a package, a Python process, a tool in the sandbox.

All of this happens in a network of its own, where one address of the internet is this host: it is reached, so that
what is refused is not refused because nothing works.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from support import networks, tricks
from support.hostile import PYTHON, Site, deploy, glob, outputs, site, text, tool
from support.mills import Mill, serving

from geomill.app.config import Settings
from geomill.app.engine import isolation
from geomill.app.sandbox import bubblewrap

PROCESSES = '''
from pathlib import Path
from typing import Annotated
from geomill.processes import File, process


@process
def given(file: Annotated[Path, File("A file", "text/plain")]) -> str:
    """Give back a file."""
    return file.read_text()


@process(template="geo")
def attempt(code: str, hrefs: list[str]) -> list[str]:
    """Try to open addresses, one after the other, by code that gives `out`."""
    said = []
    for href in hrefs:
        scope = {"href": href}
        try:
            exec(code, scope)
            said.append(str(scope["out"]))
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}")
    return said
'''
CURL = """
import subprocess
done = subprocess.run(["curl", "-sS", "-L", "-g", "--max-time", "20", {options} href], capture_output=True, text=True)
out = done.stdout + done.stderr
"""
URLLIB = "import urllib.request; out = urllib.request.urlopen(href, timeout=20).read().decode()"
WAYS = {
    "urllib": URLLIB,
    "requests": "import requests; out = requests.get(href, timeout=20).text",
    "curl": CURL.format(options=""),
    "wget": "import subprocess\nout = subprocess.run(['wget', '-qO-', '-t1', href], capture_output=True).stdout",
    "GDAL": "import rasterio; out = rasterio.open('/vsicurl/' + href).read()",
    "GDAL, by itself": "import rasterio; out = rasterio.open(href).read()",
    "urllib, past the proxy": URLLIB.replace("urlopen(", "build_opener(urllib.request.ProxyHandler({})).open("),
    "curl, past the proxy": CURL.format(options="'--noproxy', '*',"),
}
NETWORKS = isolation.networks_allowed()  # asked before there are threads
SECRET = b"never to be seen"
TOOL = """
import json, subprocess, sys, urllib.request
sys.stdout.reconfigure(errors="replace")
hrefs, codes = json.loads(open(sys.argv[1]).read())
with open("o", "w", errors="replace") as o:
    for code in codes:
        for href in hrefs:
            scope = {"href": href}
            try:
                exec(code, scope)
            except Exception as error:
                scope["out"] = repr(error)
            print(scope["out"], file=o)
"""


@dataclass
class World:
    """public: what may be reached, without being listed; inside: what may not, on the same port."""

    mill: Mill
    public: Site
    inside: Site

    @property
    def port(self) -> int:
        return int(self.inside.address.rpartition(":")[2])

    @property
    def hrefs(self) -> list[str]:
        return list(tricks.addresses(self.port))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not NETWORKS or bubblewrap.closed():
        pytest.skip("jobs and tools cannot be kept apart here")
    folder = tmp_path_factory.mktemp("tricks")
    (folder / "mine").mkdir()
    (folder / "mine/mine.py").write_text(PROCESSES)
    tricks.write_resolver(folder)
    settings = Settings(home=folder / "home", runtime_dir=folder / "run", processes=(folder / "mine",))
    with ExitStack() as stack:
        if not stack.enter_context(networks.alone(tricks.PUBLIC)):
            pytest.skip("only root has a network of his own")
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("PYTHONPATH", str(folder))
        public = stack.enter_context(site(tricks.PUBLIC))
        port = int(public.address.rpartition(":")[2])
        inside = stack.enter_context(site("127.0.0.1", port))
        public.page("/page", b"public page")
        for path in ("/secret", "/", "/x", "/latest/meta-data/"):
            inside.page(path, SECRET)
        yield World(stack.enter_context(serving(settings, shared=True, cold=True)), public, inside)


@pytest.fixture(autouse=True)
def _never_asked(world: World) -> Iterator[None]:
    """Whatever a test does, nobody inside is asked for anything."""
    yield
    assert world.inside.asked == []


def attempts(world: World, code: str, *hrefs: str) -> list[str]:
    reply = world.mill.call("POST", "/processes/attempt/execution", {"inputs": {"code": code, "hrefs": hrefs}})
    assert reply.status == 200, reply.data
    said = list(map(str, reply.json()))
    assert len(said) == len(hrefs) and not any(SECRET.decode() in each for each in said)
    return said


# ---- an input, a package


def test_what_is_public_is_reached_by_everybody(world: World) -> None:
    href = f"http://public.example:{world.port}/page"
    reply = world.mill.call("POST", "/processes/given/execution", {"inputs": {"file": {"href": href}}})
    assert (reply.status, reply.data) == (200, b"public page")
    for way in ("urllib", "requests", "curl"):
        assert attempts(world, WAYS[way], href) == ["public page"]


def test_no_input_is_fetched_by_a_trick(world: World) -> None:
    for href in [*world.hrefs, "/vsicurl/http://127.0.0.1/x"]:
        reply = world.mill.call("POST", "/processes/given/execution", {"inputs": {"file": {"href": href}}})
        assert reply.status == 400 and SECRET not in reply.data, (href, reply.data)


def test_no_package_is_fetched_by_a_trick(world: World) -> None:
    for href in world.hrefs:
        body = {"executionUnit": {"href": href, "type": "application/cwl"}}
        reply = world.mill.call("POST", "/processes", body, Content_Type="application/ogcapppkg+json")
        assert reply.status == 400 and SECRET not in reply.data, (href, reply.data)


REDIRECTS = ["http://127.0.0.1:{}/secret", "//127.0.0.1:{}/secret", "http://inside.example:{}/secret",
             "http://2130706433:{}/secret", "file:///etc/passwd", "/to-itself", "ftp://127.0.0.1:{}/secret",
             "http://public.example@127.0.0.1:{}/secret"]  # fmt: skip


@pytest.mark.parametrize("where", REDIRECTS)
def test_no_redirect_leads_inside(world: World, where: str) -> None:
    start = world.public.page("/to-itself", status=302, Location=where.format(world.port))
    reply = world.mill.call("POST", "/processes/given/execution", {"inputs": {"file": {"href": start}}})
    assert reply.status == 400 and b"refused" in reply.data, reply.data
    body = {"executionUnit": {"href": start, "type": "application/cwl"}}
    assert world.mill.call("POST", "/processes", body, Content_Type="application/ogcapppkg+json").status == 400
    for way in ("urllib", "requests", "curl", "wget", "GDAL"):
        attempts(world, WAYS[way], start)


# ---- a Python process


@pytest.mark.parametrize("way", WAYS)
def test_nothing_inside_is_opened_by_a_trick(world: World, way: str) -> None:
    said = attempts(world, WAYS[way], *[href for href in world.hrefs if not href.lower().startswith(("file:", "/etc"))])
    assert not any("root:" in each for each in said)


def test_a_name_that_changes_its_mind_leads_outside_or_nowhere(world: World) -> None:
    said = attempts(world, URLLIB, *[f"http://rebind.example:{world.port}/page"] * 9)
    assert said == ["public page", "HTTPError: HTTP Error 403: Forbidden", "public page"] * 3


VRT = """<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename>{}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"""
INNER = {
    "a VRT": VRT.format("/vsicurl/{}"),
    "a VRT without a prefix": VRT.format("{}"),
    "a VRT of a zip": VRT.format("/vsizip//vsicurl/{}/a.tif"),
    "a VRT in a VRT": VRT.format(VRT.format("/vsicurl/{}").replace("<", "&lt;")),
    "a WMS": """<GDAL_WMS><Service name="WMS"><ServerUrl>{}?</ServerUrl><Layers>x</Layers></Service><DataWindow>
<UpperLeftX>-180</UpperLeftX><UpperLeftY>90</UpperLeftY><LowerRightX>180</LowerRightX><LowerRightY>-90</LowerRightY>
<SizeX>10</SizeX><SizeY>10</SizeY></DataWindow></GDAL_WMS>""",
}


@pytest.mark.parametrize("kind", INNER)
def test_a_file_with_an_address_in_it_leads_nowhere(world: World, kind: str) -> None:
    code = "open('inner.xml', 'w').write(href)\nimport rasterio\nout = rasterio.open('inner.xml').read()"
    said = attempts(world, code, INNER[kind].format(f"http://127.0.0.1:{world.port}/secret"))
    assert "Error" in said[0]


def test_the_bands_of_an_item_are_fetched_by_the_rules_too(world: World) -> None:
    """The shipped process that takes STAC items, whose hrefs nobody looked at."""
    assets = {name: {"href": f"http://inside.example:{world.port}/secret"} for name in ("green", "nir")}
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "x", "geometry": None, "properties": {}, "links": []}
    inputs = {"item": {"value": {**item, "assets": assets}}}
    reply = world.mill.call("POST", "/processes/water-mask/execution", {"inputs": inputs})
    assert reply.status == 400 and b"inside.example is not a public address" in reply.data, reply.data


# ---- a tool in the sandbox


def test_no_trick_leads_anywhere_from_a_tool(world: World) -> None:
    pytest.importorskip("cwltool")
    codes = [WAYS[way] for way in ("urllib", "curl", "urllib, past the proxy", "curl, past the proxy")]
    job = tool("", {"o": glob("o")}, {"f": "File"}, requirements={"NetworkAccess": {"networkAccess": True}})
    job |= {"baseCommand": [PYTHON, "-c", textwrap.dedent(TOOL)], "arguments": ["$(inputs.f.path)"]}
    deploy(world.mill, job, "tricks")
    given = json.dumps([[f"http://{tricks.PUBLIC}:{world.port}/page", *world.hrefs], codes])
    job_id = world.mill.submit("tricks", f={"value": given, "mediaType": "text/plain"})
    assert world.mill.ended(job_id, 300).status.value == "successful", text(world.mill, job_id)
    (path,) = outputs(world.mill, job_id)
    said = path.read_text()
    assert said.count("public page") == 2  # by the proxy; past it there is nothing
    assert SECRET.decode() not in said and "root:x:0:0:root:/root" not in said
