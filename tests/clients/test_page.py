"""What the page about clients shows and claims of them."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import documented, installs
from support.clients import CLIENTS, NAMES, PAGE, SECTIONS, TITLES, Client, tables
from support.documented import ADDRESS, Place, blocks, pattern
from support.mills import Mill, environ

EXAMPLE = "https://example.org/count.cwl"
every = pytest.mark.parametrize("client", NAMES, indirect=True)


@every
def test_the_code_of_the_page_prints_what_it_shows(client: Client, mill: Mill) -> None:
    prints(SECTIONS[TITLES[client.name]], client.python, mill, client.package)


def test_the_code_for_requests_prints_what_the_page_shows(mill: Mill) -> None:
    prints(SECTIONS["requests"], lambda code: installs.run(sys.executable, "-c", code), mill)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_commands_for_curl_print_what_the_page_shows(mill: Mill, tmp_path: Path) -> None:
    documented.check(documented.Mill(SECTIONS["curl"], Place(tmp_path, environ({})), "", address(mill)))


def test_no_code_of_the_page_is_left_out() -> None:
    with_code = {title for title, text in SECTIONS.items() if blocks("python", text)}
    assert with_code == {*TITLES.values(), "requests"} and not blocks("python", PAGE.partition("\n## ")[0])
    assert {title for title, text in SECTIONS.items() if blocks("console", text)} == {"curl"}
    assert set(TITLES) == set(NAMES)


@every
def test_the_page_names_the_version_that_is_tried(client: Client) -> None:
    title = TITLES[client.name]
    versions = {row[0]: row[1] for row in tables(PAGE.partition("\n## ")[0])["client"]}
    required = f"{title.lower()}=={versions[f'[{title}](#{title.lower()})']}"
    assert required in (CLIENTS / f"{client.name}.txt").read_text().splitlines()


@every
def test_every_call_that_the_page_names_was_tried(client: Client) -> None:
    calls = {name for _, cell in tables(SECTIONS[TITLES[client.name]])["to"] for name in re.findall("`(.*?)`", cell)}
    driver = client.driver.read_text()
    assert {name for name in calls if not re.search(rf"\b{name}", driver)} == set()


@every
def test_every_limit_that_the_page_names_was_seen(client: Client) -> None:
    (rows,) = (rows for head, rows in tables(SECTIONS[TITLES[client.name]]).items() if "cannot" in head)
    assert [what for what, _ in rows] == list(client.seen["limits"])
    assert [what for what, seen in client.seen["limits"].items() if not seen] == []


@pytest.mark.parametrize("client", ["ogc", "unity", "cuiman"], indirect=True)
def test_a_client_reads_the_outputs_that_the_page_says_it_reads(client: Client) -> None:
    (rows,) = (rows for rows in tables(SECTIONS[TITLES[client.name]]).values() if len(rows[0]) == 4)
    found = {kind: [made_of(value) for value in seen.values()] for kind, seen in client.seen["read"].items()}
    assert {kind: said for kind, *said in rows} == found


def made_of(value: Any) -> str:
    """What became of an output in a client, in a word."""
    if value is None:
        return "empty"
    return "refused" if isinstance(value, dict) and "raised" in value else "read"


def address(mill: Mill) -> str:
    """Host and port."""
    return mill.url.removeprefix("http://")


def prints(section: str, python: Callable[[str], str], mill: Mill, package: str = "") -> None:
    """Run the code of a section: it has to print what is shown below it. package: none can be deployed without."""
    for code, shown in zip(blocks("python", section), blocks("text", section), strict=True):
        if package or EXAMPLE not in code:
            printed = python(code.replace(ADDRESS, address(mill)).replace(EXAMPLE, package))
            assert re.fullmatch(pattern(shown.replace(ADDRESS, address(mill))), printed), printed
