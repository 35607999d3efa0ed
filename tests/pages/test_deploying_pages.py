"""Deploying, replacing and undeploying by pages: what is shown first is what comes of it; with scripts and without."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages.conftest import OpenPage
from support.browsers import Page, expect, watch_of
from support.mills import Mill
from support.packages import as_yaml, graph, tool
from support.variants import thorough


@pytest.mark.parametrize("scripts", [True, thorough(False)])
def test_a_process_is_deployed_replaced_and_undeployed(
    open_page: OpenPage, site: Mill, tmp_path: Path, scripts: bool
) -> None:
    name = f"shown-{scripts}".lower()
    file = tmp_path / "greet.cwl"
    file.write_bytes(as_yaml(tool(name)))
    page = open_page("/", scripts=scripts)
    watch_of(page).expected.append("favicon.ico")  # a browser asks for one beside JSON
    page.get_by_role("link", name="Deploy a process").click()
    page.get_by_label("A file").set_input_files(file)
    page.get_by_role("button", name="Check it first").click()
    expect(page.get_by_role("heading", name="Greet")).to_contain_text("1.2.3")
    expect(page.get_by_text("kept apart from this host")).to_be_visible()
    assert site.call("GET", f"/processes/{name}").status == 404
    page.get_by_role("button", name=f"Deploy {name}").click()
    expect(page).to_have_url(re.compile(f"/processes/{name}$"))
    assert site.call("GET", f"/processes/{name}/package").data == file.read_bytes()

    page.goto(f"/processes/{name}/replacement")
    text = page.get_by_label("or its text")
    text.fill(text.input_value().replace("1.2.3", "1.2.4"))
    page.get_by_role("button", name="Check it first").click()
    expect(page.get_by_text("Instead of version 1.2.3")).to_be_visible()
    page.get_by_role("button", name=f"Replace {name} by this").click()
    expect(page).to_have_url(re.compile(f"/processes/{name}$"))
    assert [each["version"] for each in site.call("GET", f"/processes/{name}/versions").json()["versions"]] == [
        "1.2.3",
        "1.2.4",
    ]

    page.goto(f"/processes/{name}/undeployment")
    expect(page.get_by_text("history of 2 versions")).to_be_visible()
    page.get_by_role("button", name=f"Undeploy {name}").click()
    expect(page).to_have_url(re.compile("/processes$"))
    assert site.call("GET", f"/processes/{name}").status == 404


def test_what_is_wrong_is_said_where_it_can_be_changed(page: Page) -> None:
    page.goto("/deploy")
    page.get_by_role("button", name="Check it first").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no package yet")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page).to_have_title(re.compile("^Error: "))
    page.get_by_label("or its text").fill(as_yaml(graph("one", "two")).decode())
    page.get_by_label("Which process of it").fill("three")
    page.get_by_role("button", name="Check it first").click()
    expect(page.get_by_role("alert")).to_contain_text("There are one, two and greet.")
    assert "class: Workflow" in page.get_by_label("or its text").input_value()
    page.get_by_role("link", name="Say which process of it").press("Enter")
    expect(page.get_by_label("Which process of it")).to_be_focused()
    page.get_by_label("Which process of it").fill("two")
    page.get_by_role("button", name="Check it first").click()
    expect(page.get_by_role("button", name="Deploy two")).to_be_visible()
