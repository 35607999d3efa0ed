"""The page on the satellite scene is true: its servers are started, its commands run, its forms filled in."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import html5lib
import pytest
import urllib3
from support.documented import ADDRESS, HOME, ROOT, Mill, Place, blocks, check, commands, pattern, place, run, started
from support.fields import submitted
from support.variants import thorough

from geomill.app.sandbox import bubblewrap

SCENE = (ROOT / "docs/satellite-scene.md").read_text()
FILES = "127.0.0.1:8000"  # as the page has it
(SERVE_FILES,), (SERVE,), *_ = map(commands, blocks("console", SCENE))

pytestmark = pytest.mark.skipif(bool(bubblewrap.closed()) or not find_spec("cwltool"), reason="packages do not run")


@contextmanager
def files(place: Place) -> Iterator[str]:
    """The page's server of the files, on a free port: where it is."""
    line = SERVE_FILES.line.replace("8000", "0").replace("python3", "exec python3 -u")
    with subprocess.Popen(
        ["bash", "-c", line], cwd=place.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout
            said = server.stdout.readline()
            (port,) = re.findall(r"port (\d+) ", said)
            assert re.fullmatch(pattern(SERVE_FILES.shown.replace("8000", port)), said)
            yield FILES.replace("8000", port)
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def mill() -> Iterator[Mill]:
    """The page's Geomill; the page with the address of its files."""
    with place(page=SCENE) as here, files(here) as served:
        page = SCENE.replace(FILES, served)
        (_,), (serve,), *_ = map(commands, blocks("console", page))
        with started(f"{serve.line} --port 0", here) as (said, address):
            yield Mill(page, here, said, address)


@pytest.mark.thorough
def test_the_scene_is_served_and_executed_as_the_page_says(mill: Mill) -> None:
    assert re.fullmatch(
        pattern(SERVE.shown.replace(ADDRESS, mill.address).replace(HOME, mill.place.environ["HOME"])), mill.said
    )
    check(mill)
    assert (mill.place.folder / "mask.tif").read_bytes()[:2] in (b"II", b"MM")


def rows(page: str, head: str) -> list[list[str]]:
    """The rows of the table with this head, a list of cells each."""
    lines = page[page.index(head) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("process", ["water-mask", thorough("water-bodies")])
def test_a_form_that_is_filled_in_as_the_page_says_asks_for_what_its_command_asks_for(mill: Mill, process: str) -> None:
    site = f"http://{mill.address}"
    address = f"{site}/processes/{process}"
    assert address.replace(mill.address, ADDRESS) in SCENE
    lines = [each.line for block in map(commands, blocks("console", mill.page)) for each in block]
    asked = next(json.loads(line.split("'")[-2]) for line in lines if f"/{process}/execution" in line)
    with urllib3.PoolManager() as pool:
        if pool.request("GET", address).status == 404:  # its deployment is on the page, and in another test
            run([line for line in lines if "?w=" in line], mill)
        page = pool.request("GET", address, headers={"Accept": "text/html"}).data.decode()
        form, names = submitted(page), labelled(page)
        for label, value in rows(mill.page, f"| field of `{process}` |"):
            form[names[label]] = value
        answer = pool.request(
            "POST", f"{address}/execution", fields=[*form.items(multi=True)], headers={"Origin": site}, redirect=False
        )
        assert answer.status == 303, answer.data
        given = pool.request("GET", f"{answer.headers['Location']}/inputs").json()["inputs"]
        assert given == given | asked["inputs"]
        pool.request("DELETE", answer.headers["Location"])


def labelled(page: str) -> dict[str, str]:
    """The names of the fields of a page by their labels; of a list, that of the first."""
    tree = html5lib.HTMLParser(namespaceHTMLElements=False).parse(page)
    found = {(each.text or "").strip(): each.get("for") for each in tree.iter("label")}
    return {re.sub(" 1$", "", label): name for label, name in found.items() if name}


def test_what_fails_says_so_in_the_words_of_the_page(mill: Mill) -> None:
    (item,) = set(re.findall(r"http://[\d.:]+/item.json", mill.page))
    refused = execute(mill, {"item": {"href": "http://127.0.0.1:1/item.json"}})
    outside = execute(mill, {"item": {"href": item}, "aoi": {"bbox": [10, 46, 11, 47]}})
    words = [message for message, _ in rows(mill.page, "| message |")]
    for answer in (refused, outside):
        assert sum(bool(re.search(_line(each), answer)) for each in words) == 1, answer


def execute(mill: Mill, inputs: Any) -> str:
    """What is said against an execution of water-mask."""
    url = f"http://{mill.address}/processes/water-mask/execution"
    return str(urllib3.request("POST", url, json={"inputs": inputs}).json()["detail"])


def _line(message: str) -> str:
    return ".*".join(map(re.escape, message.split("...")))
