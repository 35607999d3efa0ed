"""The image map: which table a reference finds, and what is wrong with a file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from geomill.app.config import SettingsError
from geomill.app.sandbox import Image, ImageMap

FILE = """
["ghcr.io/eoap/crop"]
prefix = ["crop"]
["ghcr.io/eoap/crop:1.2"]
prefix = ["crop 1.2"]
["docker.io/library/python:3.12"]
prefix = ["python"]
["ghcr.io/eoap/*/stac*"]
prefix = ["stac"]
["ghcr.io/eoap/*"]
prefix = ["any"]
["localhost:5000/x"]
prefix = ["port"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "images.toml"


@pytest.mark.parametrize(
    "reference, word",
    [
        ("ghcr.io/eoap/crop", "crop"),
        ("ghcr.io/eoap/crop:latest", "crop"),
        ("ghcr.io/eoap/crop@sha256:0123", "crop"),
        ("ghcr.io/eoap/crop:1.2", "crop 1.2"),
        ("python:3.12", "python"),
        ("library/python:3.12", "python"),
        ("docker.io/python:3.12", "python"),
        ("docker://index.docker.io/library/python:3.12", "python"),
        ("python:3.11", None),
        ("python", None),
        ("ghcr.io/eoap/demo/stac:1", "stac"),
        ("ghcr.io/eoap/demo/other:1", "any"),
        ("localhost:5000/x:1", "port"),
        ("localhost", None),
        ("", None),
    ],
)
def test_a_reference_finds_the_nearest_table(reference: str, word: str | None, file: Path) -> None:
    file.write_text(FILE)
    found = ImageMap.load(file).find(reference)
    assert (found and found.prefix) == (word and (word,))


def test_paths_start_from_the_folder_of_the_file(file: Path) -> None:
    for name in ("a", "b", "root/bin"):
        (file.parent / name).mkdir(parents=True)
    (file.parent / "root/bin/sh").touch()
    (file.parent / "a/run").touch(0o755)
    file.write_text('[x]\npythonpath = ["a", "./b"]\npath = "a"\nrootfs = "root"\nprefix = ["a/run", "a/run"]\n')
    a, b = file.parent / "a", file.parent / "b"
    expected = Image(pythonpath=(a, b), path=(a,), rootfs=file.parent / "root", prefix=(f"{a}/run", "a/run"))
    assert ImageMap.load(file).find("x") == expected
    assert set(expected.readable()) == {a, b}


def test_the_python_of_an_environment_brings_its_base(file: Path) -> None:
    file.write_text(f'[x]\npython = "{sys.executable}"\n')
    image = ImageMap.load(file).find("x")
    assert image is not None
    assert {Path(sys.prefix), Path(sys.base_prefix)} <= set(image.readable())


def test_an_environment_that_a_link_leads_to_is_read_where_it_is(file: Path) -> None:
    (file.parent / ".venv").symlink_to(sys.prefix)
    file.write_text('[x]\npython = ".venv/bin/python"\n')
    image = ImageMap.load(file).find("x")
    assert image is not None
    assert {file.parent / ".venv", Path(sys.prefix).resolve()} <= set(image.readable())


def test_no_file_is_an_empty_map() -> None:
    assert ImageMap.load(None).find("x") is None


@pytest.mark.parametrize(
    "text, told",
    [
        ("[x", "Expected ']'"),
        ("x = 1", "x: expected a table, found 1"),
        ("[x]\npyton = '/usr/bin/python3'", "x: pyton: expected one of python, pythonpath, prefix, rootfs, path"),
        ("[x]\npython = 'no/python'", "x: python: expected a Python interpreter, found 'no/python'"),
        ("[x]\npython = 3", "x: python: expected a Python interpreter, found 3"),
        ("[x]\npythonpath = 'nowhere'", "x: pythonpath: expected a folder, or a list of folders, found 'nowhere'"),
        ("[x]\npath = [1]", "x: path: expected a folder, or a list of folders, found [1]"),
        ("[x]\nprefix = 'conda run'", "x: prefix: expected a list of words"),
        ("[x]\nprefix = []", "x: prefix: expected a list of words"),
        ("[x]\nprefix = ['no/such']", "x: prefix: expected a list of words"),
        ("[x]\nrootfs = '.'", "x: rootfs: expected a folder that can be a root, with bin/sh in it, found '.'"),
        ("[x]\nenvironment = {A = 1}", "x: environment: expected a table of texts, found {'A': 1}"),
    ],
)
def test_what_is_wrong_is_named(text: str, told: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as error:
        ImageMap.load(file)
    assert str(file) in str(error.value) and told in str(error.value)


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"images\.toml: No such file"):
        ImageMap.load(file)
