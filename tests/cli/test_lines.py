"""Results in lines."""

from pathlib import Path

import pytest

from geomill.app.cli.lines import line
from geomill.client.outputs import Output


@pytest.mark.parametrize(
    "output, text",
    [
        (Output("a", 2.5), "2.5"),
        (Output("a", "text"), "text"),
        (Output("a", {"k": [1]}), '{"k": [1]}'),
        (Output("a", "x" * 200), "x" * 100 + " ...  (--output DIR saves it all)"),
        (Output("a", path=Path("/home/a b.tif"), media_type="image/tiff"), "/home/a b.tif  (image/tiff)"),
        (Output("a", href="http://x/a"), "http://x/a"),
        (Output("a", content=b"12345", media_type="image/png"), "5 bytes  (image/png)"),
    ],
)
def test_an_output_is_shown_in_a_line(output, text):
    assert line(output) == text
