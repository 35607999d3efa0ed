"""What all tests share: no process that a test started outlives it."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.routing import Rule

from geomill.app.engine import isolation

sys.path.insert(0, str(Path(__file__).parent))

from support import leaks  # noqa: E402

# so that no process is left alone with it in the end
FIRST = ("tests/pages/", "tests/engine/", "tests/cwl/", "tests/life/", "tests/test_", "tests/conformance/")
TOGETHER = ("tests/pages", "tests/clients")  # each folder has one server, or one browser


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long to look for what a power failure breaks, or an order of requests; where pictures of pages go."""
    parser.addoption("--thorough", action="store_true", help="also what costs much and seldom finds anything")
    parser.addoption("--cuts", type=int, default=0, help="seeds for each system call that the power fails at")
    parser.addoption("--sequences", type=int, default=0, help="sequences of requests, each another one every time")
    parser.addoption("--screenshots", metavar="FOLDER", help="write pictures of all pages there")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Sockets need short paths, and the folders that pytest makes have long ones."""
    if hasattr(config, "workerinput"):
        return
    config.pluginmanager.register(Failures(config))
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="geomill-", dir="/tmp")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


class Failures:
    """Says at once what has failed: the end of a run that is cut off never comes."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest after each phase of a test."""
        if report.failed and (reporter := self.config.pluginmanager.get_plugin("terminalreporter")):
            crash = getattr(report.longrepr, "reprcrash", None)
            reporter.ensure_newline()
            reporter.write_line(f"{report.when} of {report.nodeid} failed: {crash.message if crash else ''}"[:300])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is thorough, unless it is asked for: as such, or by its name. What takes longest comes first."""
    items.sort(key=lambda item: next((place for place, name in enumerate(FIRST) if item.nodeid.startswith(name)), 99))
    if config.option.thorough or any("::" in argument for argument in config.args):
        return
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("thorough")])
    items[:] = [item for item in items if not item.get_closest_marker("thorough")]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One process does all tests of a file, and one all those of a folder that share a server, or a browser."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            shared = next((folder for folder in TOGETHER if nodeid.startswith(f"{folder}/")), None)
            return shared or super()._split_scope(nodeid)

    return Together(config, log)


@pytest.fixture(scope="session", autouse=True)
def _subreaper() -> None:
    """Whatever loses its parent becomes a child of the tests, and so is found."""
    isolation.adopt_orphans()


@pytest.fixture(scope="session", autouse=True)
def _addresses_compiled_once() -> Iterator[None]:
    """Applications have the same addresses, and there are thousands of them: werkzeug compiles each address once."""
    compiled: dict[Any, Any] = {}
    parsed: dict[str, Any] = {}
    compile_builder, parse = Rule._compile_builder, Rule._parse_rule

    def remember(rule: Rule, append_unknown: bool = True) -> Any:
        key = (tuple(rule._trace), repr(rule.defaults), append_unknown)
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    def remember_parts(rule: Rule, path: str) -> Any:
        if path not in parsed:
            other = Rule(rule.rule)
            other.map, other._trace, other._converters = rule.map, [], {}
            parsed[path] = list(parse(other, path)), other._trace, other._converters, other.arguments
        parts, trace, converters, arguments = parsed[path]
        rule._trace.extend(trace)
        rule._converters.update(converters)
        rule.arguments.update(arguments)
        return parts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", remember)
        patch.setattr(Rule, "_parse_rule", remember_parts)
        yield


@pytest.fixture(autouse=True)
def _no_leaks(_subreaper: None) -> Iterator[None]:
    """Fail a test that leaves a process behind, or no search for garbage. What it did to the umask ends with it."""
    before, umask = leaks.processes(), _umask()
    yield
    os.umask(umask)
    assert gc.isenabled(), "nothing that is in a cycle would be closed from here on"
    left = leaks.wait_for_none(before)
    assert not left, f"processes left by the test: {left}"


def _umask() -> int:
    """As it is now; setting it to learn it would be seen by other threads."""
    return int(Path("/proc/self/status").read_text().partition("Umask:")[2].split()[0], 8)
