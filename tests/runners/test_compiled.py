"""What runs is what was compiled before, if it is the same, and whole."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from geomill.app.runners.compiled import code_of

SOURCE = b"answer = 42\n"
PATH = Path("/somewhere/answer.py")
COUNTED = """
import sys
from pathlib import Path
from geomill.app.runners.compiled import code_of
compiled = []
sys.addaudithook(lambda event, given: compiled.append(given) if event == "compile" else None)
code = code_of(b"answer = 42", Path("/somewhere/answer.py"), Path(sys.argv[1]))
print(len(compiled))
"""


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "1234.json"


def answer(source: bytes, path: Path, record: Path) -> object:
    code, found = code_of(source, path, record), {}
    assert code is not None and code.co_filename == str(path)
    exec(code, found)
    return found["answer"]


def kept(record: Path) -> Path:
    (path,) = record.parent.glob("*.code")
    return path


def test_a_file_is_compiled_once_for_all_jobs(record: Path) -> None:
    def compiled() -> str:
        command = [sys.executable, "-P", "-c", COUNTED, str(record)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    assert [compiled(), compiled()] == ["1\n", "0\n"]
    assert kept(record).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("left", [b"", b"torn", 100])
def test_what_a_power_cut_has_torn_is_compiled_anew(record: Path, left: bytes | int) -> None:
    assert answer(SOURCE, PATH, record) == 42
    whole = kept(record).read_bytes()
    kept(record).write_bytes(whole[:left] if isinstance(left, int) else left)
    assert answer(SOURCE, PATH, record) == 42
    assert kept(record).read_bytes() == whole


def test_the_same_content_at_another_path_is_another_code(record: Path) -> None:
    for path in (PATH, Path("/elsewhere/answer.py"), PATH):
        assert answer(SOURCE, path, record) == 42


def test_where_nothing_can_be_kept_it_is_compiled_every_time(record: Path) -> None:
    missing = record.parent / "missing" / record.name
    assert [answer(SOURCE, PATH, missing) for _ in range(2)] == [42, 42]


def test_what_does_not_compile_is_left_to_its_run(record: Path) -> None:
    assert code_of(b"answer = (", PATH, record) is None


def test_what_is_compiled_with_a_warning_is_left_to_each_run(record: Path, recwarn: pytest.WarningsRecorder) -> None:
    assert code_of(b"answer = 42 is 42", PATH, record) is None
    assert not recwarn.list and not list(record.parent.glob("*.code"))


def test_what_another_format_left_is_compiled_anew(record: Path) -> None:
    assert answer(SOURCE, PATH, record) == 42
    content = b"\xe3\x00"
    kept(record).write_bytes(sha256(content).digest() + content)
    assert answer(SOURCE, PATH, record) == 42
