"""Names of files that are sent: safe in a header and on a disk, and still what people call the thing."""

import pytest
from werkzeug.http import parse_options_header

from geomill.app.exchange.file_names import attachment, of_job

JOB = "01a22645-d131-72ce-bbce-901e5b9a35ec"


@pytest.mark.parametrize(
    "process, parts, plain",
    [
        ("water-mask", (), "water-mask-5b9a35ec.zip"),
        ("water-mask", ("mask", "ro-crate"), "water-mask-5b9a35ec-mask-ro-crate.zip"),
        ("Gewässer ü", (), "Gew_sser__-5b9a35ec.zip"),
        ('a"; filename=b', (), "a___filename_b-5b9a35ec.zip"),
        ("a/../b\r\nX: y", (), "a_.._b__X__y-5b9a35ec.zip"),
        ("水" * 200, (), None),
    ],
)
def test_a_zip_is_called_as_its_job(process: str, parts: tuple[str, ...], plain: str | None) -> None:
    name = of_job(process, JOB, *parts)
    header = attachment(name)
    kind, options = parse_options_header(header)
    assert kind == "attachment" and options["filename"] == name  # the extended one wins
    assert header.isascii() and header.isprintable() and len(name.encode()) <= 200 and "/" not in name
    assert name.endswith("-".join(("5b9a35ec", *parts)) + ".zip")
    if plain:
        assert header.partition("filename=")[2].partition(";")[0] == plain
