"""The benchmarks measure and write down what they found; how fast something is, nobody asks here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import document, figures, machine, measuring, plots, tracing  # noqa: E402
from benchmarks.__main__ import BENCHMARKS  # noqa: E402
from benchmarks.document import BEGIN, END, Section  # noqa: E402
from benchmarks.figures import Figure, compared, latency  # noqa: E402
from examples.backstage import Failed  # noqa: E402

PAGE = ROOT / "docs/performance.md"


def test_a_percentile_is_the_smallest_value_that_is_not_exceeded_by_that_share() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [measuring.percentile(values, share) for share in (0, 0.2, 0.5, 0.99, 1)] == [1, 1, 3, 5, 5]
    assert measuring.p50(range(1, 101)) == 50


def test_what_is_compared_is_measured_in_turn_and_backwards_every_second_time() -> None:
    order: list[str] = []

    def measure(name: str) -> int:
        order.append(name)
        return len(order)

    first, second = measuring.interleaved(3, lambda: measure("a"), lambda: measure("b"))
    assert "".join(order) == "abbaabba"
    assert (first, second) == ([4, 5, 8], [3, 6, 7])  # not what the first round gave


def test_a_ratio_is_the_median_of_those_of_neighbours() -> None:
    figure = compared("x", "ms", [1.0, 10.0, 3.0], ("ms, other", [1.0, 5.0, 1.0]), most=2)
    assert (figure.value, figure.beside, figure.ratio, figure.met) == (3, 1, 2, True)
    assert figure.row() == ("x", "3 ms", "1 ms, other", "2", "<= 2 x", "yes")


@pytest.mark.parametrize(
    "goal, met, share",
    [
        ({}, None, None),
        ({"most": 4.0}, True, 0.5),
        ({"most": 1.0}, False, 2.0),
        ({"least": 1.0}, True, 0.5),
        ({"least": 4.0}, False, 2.0),
        ({"most": 1.0, "beside": 4.0, "relative": True}, True, 0.5),
        ({"least": 1.0, "beside": 4.0, "relative": True}, False, 2.0),
        ({"most": 1.0, "relative": True}, None, None),  # nothing is beside it
    ],
)
def test_a_goal_is_one_of_the_figure_or_of_its_ratio(
    goal: dict[str, float], met: bool | None, share: float | None
) -> None:
    figure = Figure("x", 2.0, "ms", **goal)  # type: ignore[arg-type]
    assert (figure.met, figure.share) == (met, share)


def test_a_latency_says_how_far_its_times_lie_apart() -> None:
    (figure,) = latency("x", [float(each) for each in range(1, 101)], 60)
    assert (figure.name, figure.value, figure.goal, figure.note) == ("x, p50", 50, "<= 60", "p10 10, p99 99")


def test_a_table_has_a_row_for_each_figure_and_breaks_at_no_bar() -> None:
    text = figures.markdown([Figure("a|b", 1.5, "ms", most=1, note="why"), Figure("c", 1234.5, "")])
    assert text.splitlines()[2:] == [
        "| a\\|b<br><sub>why</sub> | 1.5 ms |  |  | <= 1 | NO |",
        "| c | 1234 |  |  |  |  |",
    ]


def test_what_is_written_outside_of_the_markers_stays() -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = document.between(text, "new")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert document.between(once, "new") == once


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_page_without_the_markers_is_left_alone(text: str) -> None:
    with pytest.raises(Failed, match="once each"):
        document.between(text, "new")


def test_the_page_has_the_markers() -> None:
    assert document.between(PAGE.read_text(), "\N{SNOWMAN}").count("\N{SNOWMAN}") == 1


def test_machine_and_versions_are_told_with_or_without_the_peers() -> None:
    host, versions, _ = machine.lines()
    assert f"{os.cpu_count()} processors" in host and f"homes on {machine.file_system(Path('/tmp'))}" in host
    assert re.search(r"flask \d.*gunicorn \d.*SQLite \d.*cwltool \d.*pygeoapi (\d|not installed: `make p)", versions)


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed: there are no plots")
def test_the_same_figures_give_the_same_plots(tmp_path: Path) -> None:
    found = Figure("GET /", 2.0, "ms", most=1.5, beside=1.0, other="ms, bare Flask", relative=True), Figure("b", 1, "s")
    sections = [Section("answers", "What it costs", 0, found)]
    drawn = [plots.draw(tmp_path / name, sections) for name in ("one", "two")]
    assert drawn[0] == drawn[1] and len(drawn[0]) == 2
    for name in drawn[0].values():
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.skipif(not tracing.can_trace(), reason="strace is not installed, or may not trace")
def test_system_calls_of_a_process_are_counted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os, sys; [os.fsync(1) for _ in iter(sys.stdin.readline, '')]"]
    with open(tmp_path / "file", "w") as file:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file)
    assert child.stdin
    with tracing.tracing([child.pid]) as counted:
        child.stdin.write(b"\n\n\n")
        child.stdin.close()
        child.wait()
    assert sum(counted[name] for name in tracing.SYNCS) == 3


def test_a_part_of_the_benchmarks_is_measured_and_written_into_a_copy_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    shutil.copy(PAGE, page)
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "disk", "--only", "begin"]
    told = ["--document", str(page), "--json", str(tmp_path / "figures.json")]
    done = subprocess.run([*command, *told], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr  # 1: something was slower than it should be
    assert "Traceback" not in done.stderr
    measured = json.loads((tmp_path / "figures.json").read_text())["benchmarks"]
    assert [each["name"] for each in measured] == ["disk", "begin"]
    assert all(each["figures"] and each["trouble"] is None for each in measured)
    assert ("matplotlib" in done.stdout) == (find_spec("matplotlib") is None)
    before, written = PAGE.read_text(), page.read_text()
    assert written.partition(BEGIN)[0] == before.partition(BEGIN)[0]
    assert written.partition(END)[2] == before.partition(END)[2]
    for each in measured:
        assert f"### {each['name']}\n" in written
        assert all(f"| {figure['name']}" in written for figure in each["figures"])


def test_every_benchmark_says_what_it_measures() -> None:
    assert all((each.__doc__ or "").strip().partition("\n")[0].endswith(".") for each in BENCHMARKS.values())
