"""Jobs begin in processes that were forked before: a template, and its spare, which waits for a job."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from support import leaks
from support.mills import WITHOUT_NAMESPACES, Mill, serving
from support.variants import thorough
from support.waiting import holds, until

from geomill.app.config import Settings
from geomill.app.engine import reaper
from geomill.jobstore import Status

GEO = "geomill-geo"  # the name of the template
PROCESSES = '''
from pathlib import Path

import numpy
import rasterio
from pyproj import CRS, Transformer
from geomill.processes import process


@process
def measure(size: int) -> list[float]:
    """Write and read a raster, and ask PROJ for what it keeps in its database."""
    profile = {"driver": "GTiff", "width": size, "height": size, "count": 1, "dtype": "uint8", "crs": "EPSG:32633"}
    with rasterio.open("raster.tif", "w", **profile) as raster:
        raster.write(numpy.full((1, size, size), size, "uint8"))
    with rasterio.open("raster.tif") as raster:
        east, north = Transformer.from_crs(4326, raster.crs.to_epsg(), always_xy=True).transform(15, 0)
        return [float(raster.read().mean()), east, north, CRS(25833).to_epsg()]


@process
def pick() -> list[float]:
    """Draw random numbers."""
    return [numpy.random.random()]
'''


@pytest.fixture(params=[(), thorough(WITHOUT_NAMESPACES)], ids=["with namespaces", "without"])
def mill(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Mill]:
    """A server of one's own, on a host that allows PID namespaces, and on one that does not."""
    with serving(settings, prefix=request.param) as mill:
        yield mill


@pytest.fixture
def geo(settings: Settings, tmp_path: Path) -> Iterator[Mill]:
    """A server with processes that need the libraries, and has loaded them."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "geo.py").write_text(PROCESSES)
    with serving(replace(settings, processes=(*settings.processes, own)), max_running="4") as mill:
        result(mill, mill.submit("pick"))
        yield mill


def family(pid: int) -> list[int]:
    """The only child of a process that is no zombie, its only child, and so on."""
    found = [pid]
    while len(next_ := leaks.children(found[-1])) == 1:
        found += next_
    return found[1:]


def pages_of(pid: int, library: str) -> int | None:
    """The kilobytes of a library's code that a process has mapped; None before it is loaded."""
    parts = re.findall(rf" r-xp .*{library}.*\n(?:.*\n){{3}}Rss: +(\d+) kB", Path(f"/proc/{pid}/smaps").read_text())
    return sum(map(int, parts)) if parts else None


def spare(mill: Mill, name: str = "base") -> list[int]:
    """The spare of a template, and its child."""
    found = until(lambda: pids if len(pids := family(mill.template(name))) == 2 else None)
    assert isinstance(found, list)
    return found


def result(mill: Mill, job_id: str) -> object:
    assert mill.ended(job_id).status is Status.SUCCESSFUL, mill.store.log(job_id).read_text()
    return mill.store.results(job_id)["result"].value


def test_a_template_keeps_one_spare_and_a_job_takes_it(mill: Mill) -> None:
    waiting, child = spare(mill)
    assert os.getsid(child) == os.getsid(waiting) == waiting != os.getsid(mill.template())
    assert (mill.engine.ask({"op": "hello"}, 5.0) or {})["running"] == 0
    job_id = mill.submit("hold")
    mill.message(job_id, "holding")
    info = mill.store.read_status(job_id)
    assert (info.pid, info.start_time) == (waiting, reaper.start_time(waiting))
    until(lambda: [leaks.running_name(pid) for pid in leaks.children(mill.template())].count("geomill-base") == 1)
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200


def test_a_template_in_reserve_has_neither_a_spare_nor_pages_of_its_libraries(settings: Settings) -> None:
    with serving(settings) as mill:
        mill.engine.expect("geo")
        pid = mill.template("geo")
        until(lambda: pages_of(pid, "_imaging") == pages_of(pid, "libgdal") == 0, 60)
        assert not holds(lambda: leaks.children(pid), 0.2)


@pytest.mark.parametrize("who, number", [("it", signal.SIGKILL), ("it", signal.SIGTERM), ("its child", signal.SIGKILL)])
def test_a_spare_that_ends_costs_no_job(mill: Mill, who: str, number: int) -> None:
    waiting, child = spare(mill)
    os.kill({"it": waiting, "its child": child}[who], number)
    until(lambda: not leaks.running_name(waiting) and not leaks.running_name(child))
    assert mill.ended(mill.submit("nap")).status is Status.SUCCESSFUL
    assert waiting not in spare(mill)


def _spares_but(mill: Mill, given: int) -> list[int]:
    """Supervisors that have not begun, without the one that was given a job."""
    pids = leaks.children(mill.template())
    return [pid for pid in pids if pid != given and leaks.running_name(pid) == "geomill-base"]


@pytest.mark.parametrize("times, status", [(1, Status.SUCCESSFUL), (2, Status.FAILED)])
def test_a_job_whose_supervisor_ends_before_it_began_begins_once_more(mill: Mill, times: int, status: Status) -> None:
    waiting = spare(mill)[0]
    os.kill(waiting, signal.SIGSTOP)
    job_id = mill.submit("nap")
    for left in reversed(range(times)):
        # the template forks the next one as soon as it has given the job to this one
        (next_,) = until(partial(_spares_but, mill, waiting))
        if left:
            os.kill(next_, signal.SIGSTOP)
        leaks.kill(waiting)
        waiting = next_
    ended = mill.ended(job_id)
    assert (ended.status, ended.cause) == (status, None if times == 1 else "lost")


@pytest.mark.parametrize("victim", ["template", thorough("dispatcher")])
def test_a_spare_leaves_with_its_template_and_with_the_dispatcher(mill: Mill, victim: str) -> None:
    pids = spare(mill)
    leaks.kill(mill.template() if victim == "template" else mill.dispatcher() or 0)
    until(lambda: not any(map(leaks.running_name, pids)))


def test_a_spare_leaves_when_the_dispatcher_retires(mill: Mill) -> None:
    pids = spare(mill)
    mill.engine.retire()
    until(lambda: not any(map(leaks.running_name, pids)))


@pytest.mark.thorough
def test_jobs_that_share_a_template_read_the_right_files(geo: Mill) -> None:
    """PROJ keeps its database open, and every job has the template's descriptor of it."""
    spare(geo, "geo")
    jobs = {size: geo.submit("measure", size=size) for size in range(1, 25)}
    for size, job_id in jobs.items():
        value, east, north, code = result(geo, job_id)
        assert (value, code) == (size, 25833)
        assert east == pytest.approx(500000, abs=1e-3) and north == pytest.approx(0, abs=1e-3)


def test_no_two_jobs_draw_the_same_numbers(geo: Mill) -> None:
    spare(geo, "geo")
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: geo.submit("pick"), range(16)))
    for _ in range(4):  # each of these has been a spare
        spare(geo, "geo")
        jobs.append(geo.submit("pick"))
    drawn = [result(geo, job_id) for job_id in jobs]
    assert len(set(map(str, drawn))) == len(drawn)


@pytest.mark.thorough
def test_a_template_that_still_loads_its_libraries_goes_with_its_dispatcher(settings: Settings) -> None:
    with serving(settings) as mill:  # which loads them when there is nothing else to do
        pid = until(mill.dispatcher)
        (template,) = until(lambda: [each for each in leaks.children(pid) if leaks.running_name(each) == GEO], 30)
        os.kill(template, signal.SIGSTOP)  # it does not look at its link
        leaks.kill(pid)
        until(lambda: not leaks.running_name(template), 10)
