"""What notebooks show, and that it is only text to them."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from geomill.client import Client

EVIL = "<img src=x onerror=alert(1)>\"'&</td><script>\u202e\x1b[2J"
TAGS = {"h4", "p", "b", "table", "thead", "tbody", "tr", "th", "td", "div", "code", "a", "progress"}
NOTEBOOK = """
from geomill.client import Client
server = Client({url!r})
job = server.execute("count", to=3).wait()
job
"""


class Markup(HTMLParser):
    """The tags, the addresses and the text of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(stranger: Any) -> Client:
    described = {"id": "double", "version": EVIL, "title": EVIL, "description": EVIL}
    described["inputs"] = {EVIL: {"title": EVIL, "schema": {"type": EVIL, "enum": [EVIL], "default": EVIL}}}
    described["outputs"] = {EVIL: {"schema": {"format": EVIL}}, "none": None}
    results = {EVIL: EVIL, "b": {"href": EVIL, "type": EVIL}}
    told = {"processID": EVIL, "message": EVIL, "progress": 5, "created": EVIL}
    return Client(stranger(description=described, results=results, told=told).url)


def test_texts_of_a_server_are_no_markup(stranger: Any) -> None:
    client = hostile(stranger)
    job = client.execute("double")
    shown = (client.process("double"), client.process("double").description(), client.jobs(), job.results(), job)
    for each in shown:
        html = Markup(each._repr_html_())
        assert html.tags <= TAGS
        assert html.attributes <= {"href", "target", "rel", "max", "value"}
        assert "alert(1)" in html.text
        assert not [letter for letter in html.text + repr(each) if not letter.isprintable() and letter != "\n"]


def test_a_job_at_an_address_that_is_none_of_the_web_is_no_link() -> None:
    from geomill.client.notebook import job

    assert "a" not in Markup(job({"status": "running"}, "1", "javascript:alert(1)")).tags


def test_a_notebook_shows_one_bar_that_moves(url: str) -> None:
    import nbclient
    import nbformat

    cell = nbformat.v4.new_code_cell(NOTEBOOK.format(url=url))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown, result = cell.outputs
    assert (shown.output_type, result.output_type) == ("display_data", "execute_result")
    assert "successful" in shown.data["text/plain"]
    for output in (shown, result):
        html = Markup(output.data["text/html"])
        assert html.text.startswith("count ") and "successful" in html.text and "a" in html.tags
