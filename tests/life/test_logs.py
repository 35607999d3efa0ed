"""What the server and its dispatcher write about themselves: lines with a time, one for what operators ask for."""

from __future__ import annotations

import getpass
import logging
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.request import urlopen

import pytest
from support.mills import COMMAND, Mill, environ, serving, stop
from support.waiting import until

from geomill.app.config import Settings
from geomill.app.engine import logs
from geomill.app.engine.runtime import LOG
from geomill.app.loglines import Lines, Seldom
from geomill.jobstore import Status

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (INFO|WARNING|ERROR) \[\d+\] .*")


def lines(log: Path) -> list[str]:
    """The lines of a log, each of which has its time, its level and its process."""
    found = log.read_text().splitlines()
    assert [line for line in found if not LINE.fullmatch(line)] == []
    return found


@contextmanager
def logging_server(settings: Settings, log: Path, **given: str) -> Iterator[tuple[Mill, subprocess.Popen[str]]]:
    """A server that writes whatever it says to one file."""
    names = {"home": str(settings.home), "runtime_dir": str(settings.runtime_dir), **given}
    with log.open("w") as file:
        server = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0"], env=environ(names), cwd=log.parent, stdout=file, stderr=file, text=True
        )
    try:
        url = until(lambda: re.search(r"listens on (http://\S+)/", log.read_text()), 20)[1]
        mill = Mill(url, server.pid, settings)
        until(mill.dispatcher)
        yield mill, server
    finally:
        stop(server, settings)


@pytest.mark.thorough
def test_a_log_says_when_a_server_was_there_and_under_what(settings: Settings, tmp_path: Path) -> None:
    log, (first, *_), file = tmp_path / "server.log", settings.processes, tmp_path / "geomill.toml"
    broken = tmp_path / "mine"
    broken.mkdir()
    (broken / "broken.py").write_text("no python")
    file.write_text(f'processes = ["{first}", "{broken}"]')
    with logging_server(settings, log) as (mill, server):
        with urlopen(f"{mill.url}/processes", timeout=30) as reply:
            assert reply.status == 200
        until(lambda: "broken.py is no process" in log.read_text())
        begun = lines(log)[0]
        server.send_signal(signal.SIGHUP)
        until(lambda: log.read_text().count(" listens on ") == 2, 20)
    assert f"INFO [{mill.pid}] Geomill {version('geomill')} listens on {mill.url}/; user {getpass.getuser()}, " in begun
    assert f"home {settings.home}, runtime directory {settings.runtime_dir}, settings of {file}" in begun
    *_, last = lines(log)
    assert last.endswith(f"INFO [{mill.pid}] Stopped.")
    assert any("WARNING" in line and "Reloading." in line for line in lines(log))


def test_a_dispatcher_has_a_line_for_what_was_lost_and_no_traceback(settings: Settings, tmp_path: Path) -> None:
    log = settings.runtime_dir / LOG
    with serving(settings) as mill:
        job_id = mill.submit("hold", until=str(tmp_path / "never"))
        mill.message(job_id, "holding")
        before = mill.dispatcher()
        assert before is not None
        template = mill.template()
        os.kill(template, signal.SIGKILL)
        until(lambda: f"the template base, process {template}, is lost" in log.read_text())
        os.kill(before, signal.SIGKILL)
        until(lambda: mill.dispatcher() not in (None, before), 10)
        until(lambda: log.read_text().count(f"begins in {settings.home}") == 2)
        pid = mill.store.read_status(job_id).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert mill.ended(job_id).status is Status.FAILED
        until(lambda: f"job {job_id} of tenant default failed: the job's supervisor was lost" in log.read_text())
    assert "Traceback" not in log.read_text()
    assert lines(log)[-1].endswith("leaves: it was told to")


@pytest.mark.thorough
def test_a_hand_over_leaves_no_traceback(settings: Settings) -> None:
    log = settings.runtime_dir / LOG
    with serving(settings, max_running="1") as mill:
        assert mill.ended(mill.submit("nap")).status is Status.SUCCESSFUL
        before = mill.dispatcher()
        with serving(settings, max_running="2") as other:
            until(lambda: other.dispatcher() not in (None, before), 10)
            assert other.ended(other.submit("nap")).status is Status.SUCCESSFUL
    told = lines(log)
    assert any("leaves: a server of another version or other settings has come" in line for line in told)
    assert "Traceback" not in "\n".join(told)


def test_every_line_of_an_error_has_its_time(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("geomill.test").exception("it broke")
    said = Lines().format(caplog.records[0]).splitlines()
    assert len(said) > 4 and all(map(LINE.fullmatch, said))


def test_what_happens_often_is_said_seldom_with_how_often_it_was_not(caplog: pytest.LogCaptureFixture) -> None:
    log, often = logging.getLogger("geomill.test"), Seldom(0.2)
    for number in range(5):
        often.say(log, "full: %d", number)
    until(lambda: often.say(log, "full: %d", 9) or len(caplog.records) > 1)
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "full: 0"
    assert re.fullmatch(r"full: 9 \(\d+ more of this kind since the last line\)", second)


def write(log: Path, lines: int) -> None:
    """Complain as its processes do: by appending. All at once: the log may be begun anew at any moment."""
    with open(log, "ab", buffering=0) as file:
        file.write(b"".join(b"%09d something was not as it should be\n" % number for number in range(lines)))


def test_the_log_of_the_dispatcher_is_begun_anew_and_its_end_is_kept(settings: Settings) -> None:
    with serving(settings) as mill:
        log = settings.runtime_dir / LOG
        begun = os.stat(log).st_ino
        write(log, 40_000)
        until(lambda: log.stat().st_size < logs.MOST, 20)
        kept = log.with_name(f"{LOG}.1").read_bytes()
        assert kept.endswith(b"000039999 something was not as it should be\n")
        assert 0 < len(kept) <= logs.KEPT
        assert kept.split(b"\n")[0].endswith(b"should be")
        assert os.stat(log).st_ino == begun  # whoever has it open goes on in it
        assert mill.ended(mill.submit("nap")).status.value == "successful"


def test_a_short_log_stays_and_so_does_one_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path / LOG, 10)
    logs.bound(tmp_path / LOG)
    logs.bound(tmp_path / "none")
    assert [each.name for each in tmp_path.iterdir()] == [LOG]
    assert len((tmp_path / LOG).read_bytes().splitlines()) == 10
