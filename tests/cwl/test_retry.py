"""A job that failed is retried from the step that did: what was finished is taken over, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from cwl.conftest import LIMITS, needs_sandbox  # type: ignore[import-not-found]
from support.hostile import Json, Site, deploy, events, expression, glob, outputs, tool, workflow
from support.mills import Mill, serving
from support.others import needs_another_user
from support.variants import thorough
from support.waiting import until

from geomill.app.config import Settings
from geomill.jobstore import Status, fsck

O = {"o": glob("o")}  # noqa: E741
TEXT = {"f": {"type": "File", "inputBinding": {}}}
ADD = "import sys; open('o', 'w').write(open(sys.argv[1]).read() + '{}')"
# fails as long as it is given what is not there yet
PATIENT = """
import sys
text = open(sys.argv[1]).read()
if 'not yet' in open(sys.argv[2]).read():
    sys.exit('it is too early')
open('o', 'w').write(text + 'c')
"""
LOOK = """
import os
from geomill.processes import process

@process
def look(path: str) -> str:
    try:
        return " ".join(os.listdir(path))
    except OSError as error:
        return type(error).__name__
"""


def four_steps(**more: Json) -> Json:
    """a, b, c, d; the third fails when its extra input says that it is too early."""
    late = {"f": {"type": "File", "inputBinding": {"position": 1}},
            "late": {"type": "File", "inputBinding": {"position": 2}}}  # fmt: skip
    steps = {
        "a": {"run": tool("open('o', 'w').write('a')", O), "in": {}, "out": ["o"]},
        "b": {"run": tool(ADD.format("b"), O, TEXT), "in": {"f": "a/o"}, "out": ["o"]},
        "c": {"run": tool(PATIENT, O, late), "in": {"f": "b/o", "late": "late"}, "out": ["o"]},
        "d": {"run": tool(ADD.format("d"), O, TEXT), "in": {"f": "c/o"}, "out": ["o"]},
    }
    for name, tools in more.items():
        steps[name]["run"].update(tools)
    return workflow(steps, {"o": {"type": "File", "outputSource": "d/o"}}, {"late": "File"})


@pytest.fixture(scope="module", params=["server's user", thorough("job user")])
def mill(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, web: Site) -> Iterator[Mill]:
    """A server, whose jobs run as somebody else where that can be."""
    needs_sandbox()
    root = tmp_path_factory.mktemp("mill")
    more = {}
    if request.param == "job user":
        needs_another_user(root)
        more = {"job_user": "nobody"}
    (root / "mine").mkdir(mode=0o755)
    (root / "mine" / "look.py").write_text(LOOK)
    (root / "mine" / "look.py").chmod(0o644)
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(root / "mine",))
    with serving(settings, shared=True, allow=web.address, **LIMITS, **more) as mill:
        yield mill


def failed(mill: Mill, web: Site, name: str, document: Json | None = None) -> str:
    """A job that failed in its third step, of which the reason has gone now."""
    deploy(mill, document or four_steps(), name)
    web.page(f"/{name}", b"not yet")
    job_id = mill.submit(name, late={"href": f"{web.url}/{name}"})
    info = mill.ended(job_id, 30)
    assert (info.status, info.cause) == (Status.FAILED, "exit"), info
    web.page(f"/{name}", b"now")
    return job_id


def retried(mill: Mill, job_id: str) -> str:
    """The id of the new job."""
    reply = mill.call("POST", f"/jobs/{job_id}/retry")
    assert reply.status == 201, reply.data
    assert reply.headers["Location"].endswith(f"/jobs/{reply.json()['jobID']}")
    return str(reply.json()["jobID"])


def ran(mill: Mill, job_id: str) -> dict[str, str]:
    """How each step of a job ended; publishing is none of the package."""
    return {each["step"]: each["outcome"] for each in events(mill, job_id)
            if each["event"] == "ended" and each["step"] != "node_stage_out"}  # fmt: skip


def result(mill: Mill, job_id: str) -> str:
    """The text that a job gave."""
    assert mill.ended(job_id, 30).status is Status.SUCCESSFUL, mill.status(job_id)
    (path,) = outputs(mill, job_id)
    return str(path.read_text())


def test_a_failure_says_which_step_it_was_and_what_it_said_last(mill: Mill, web: Site, name: str) -> None:
    status = mill.status(failed(mill, web, name))
    assert status["message"] == "step c failed with exit code 1 (log: c.log): it is too early"
    assert [link["title"] for link in status["links"] if link["href"].endswith("/logs/c.log")] == ["Tool log c.log"]


def test_two_steps_of_four_are_run_again(mill: Mill, web: Site, name: str) -> None:
    job_id = failed(mill, web, name)
    again = retried(mill, job_id)
    assert result(mill, again) == "abcd"
    assert ran(mill, again) == {"a": "reused", "b": "reused", "c": "success", "d": "success"}
    status = mill.status(again)
    (older,) = [link["href"] for link in status["links"] if link["rel"] == "predecessor-version"]
    assert older == f"{mill.url}/jobs/{job_id}"
    assert mill.store.job(again).retry_of == job_id


@pytest.mark.thorough
def test_a_retry_that_fails_is_retried(mill: Mill, web: Site, name: str) -> None:
    job_id = failed(mill, web, name)
    web.page(f"/{name}", b"not yet, again")
    again = retried(mill, job_id)
    assert mill.ended(again, 30).status is Status.FAILED
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200  # what the second took over is its own
    web.page(f"/{name}", b"now")
    last = retried(mill, again)
    assert result(mill, last) == "abcd"
    assert ran(mill, last) == {"a": "reused", "b": "reused", "c": "success", "d": "success"}


@pytest.mark.parametrize("gone", ["replaced", "undeployed"])
def test_a_retry_keeps_the_package_that_failed(mill: Mill, web: Site, name: str, gone: str) -> None:
    job_id = failed(mill, web, name)
    if gone == "undeployed":
        assert mill.call("DELETE", f"/processes/{name}").status == 204
    else:
        other = tool("open('o', 'w').write('other')", O) | {"id": name}
        reply = mill.call("PUT", f"/processes/{name}", other, Content_Type="application/cwl+json")
        assert reply.status == 204, reply.data
    again = retried(mill, job_id)
    assert result(mill, again) == "abcd"
    assert list(ran(mill, again).values()).count("reused") == 2


def test_a_job_that_was_removed_spares_its_retry_no_time(mill: Mill, web: Site, name: str) -> None:
    job_id = failed(mill, web, name)
    shutil.rmtree(mill.store.folder(job_id) / "kept")
    again = retried(mill, job_id)
    assert result(mill, again) == "abcd"
    assert set(ran(mill, again).values()) == {"success"}
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200
    assert mill.call("POST", f"/jobs/{job_id}/retry").status == 404


def test_what_may_differ_each_time_is_run_again(mill: Mill, web: Site, name: str) -> None:
    never = {"requirements": {"WorkReuse": {"enableReuse": False}}}
    again = retried(mill, failed(mill, web, name, four_steps(a=never)))
    assert result(mill, again) == "abcd"
    assert ran(mill, again) == {"a": "success", "b": "reused", "c": "success", "d": "success"}


def test_what_is_kept_for_a_retry_is_shown_to_nobody_and_goes_with_the_job(mill: Mill, web: Site, name: str) -> None:
    job_id = failed(mill, web, name)
    folder = mill.store.folder(job_id)
    assert (folder / "kept").is_dir() and not (folder / "work").exists()
    kept = [path.relative_to(folder) for path in (folder / "kept").rglob("o") if path.is_file()]
    assert kept
    names = (f"kept/work/{kept[0].name}", f"kept/{kept[0].name}", str(kept[0]))
    for path in (*names, f"logs/../{kept[0]}", f"results/../{kept[0]}", "results/o"):
        assert mill.call("GET", f"/jobs/{job_id}/{path}").status in (400, 404, 500), path
    until(lambda: not fsck.check(mill.store))  # the dispatcher notes the end of a job after it
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200
    assert not folder.exists()


@pytest.mark.parametrize("mill", ["job user"], indirect=True)
@pytest.mark.thorough
def test_what_a_job_leaves_for_a_retry_is_out_of_reach_of_other_jobs(mill: Mill, web: Site, name: str) -> None:
    folder = mill.store.folder(failed(mill, web, name))
    for kept in ("kept", "kept/work", "logs"):
        reply = mill.call("POST", "/processes/look/execution", {"inputs": {"path": str(folder / kept)}})
        assert reply.data == b"PermissionError", kept


@pytest.mark.parametrize("mill", ["job user"], indirect=True)
@pytest.mark.thorough
def test_a_retry_takes_over_nothing_that_was_not_the_jobs(mill: Mill, web: Site, name: str) -> None:
    """Somebody swapped a folder for one of the server's, or for a link to that, at the worst moment."""
    job_id = failed(mill, web, name)
    swapped = mill.store.folder(job_id) / "kept" / "work" / "swapped"
    swapped.mkdir(0o755)
    (swapped / "secret").write_text("secret")
    (swapped / "secret").chmod(0o600)
    again = retried(mill, job_id)
    assert result(mill, again) == "abcd"
    assert (swapped / "secret").stat().st_nlink == 1
    assert list(ran(mill, again).values()).count("reused") == 2


def test_only_the_items_of_a_scatter_that_failed_are_run_again(mill: Mill, web: Site, name: str) -> None:
    script = """
        import sys
        late, number = open(sys.argv[1]).read(), sys.argv[2]
        if number == '3' and 'not yet' in late:
            sys.exit('too early')
        open('o', 'w').write(number)
    """
    inputs = {"n": {"type": "int", "inputBinding": {"position": 2}}}
    early = {"late": {"type": "File", "inputBinding": {"position": 1}}}
    one = tool("import sys; open('o', 'w').write(sys.argv[1] * 2)", O, inputs)
    join = "import sys; open('o', 'w').write(' '.join(open(name).read() for name in sys.argv[1:]))"
    many = {"f": {"type": "File[]", "inputBinding": {"position": 1}}}
    last = {"g": {"type": "File", "inputBinding": {"position": 2}}}
    steps = {
        "double": {"run": one, "in": {"n": "ns"}, "scatter": "n", "out": ["o"]},
        "pick": {"run": tool(script, O, inputs | early), "in": {"n": "ns", "late": "late"}, "scatter": "n",
                 "out": ["o"]},
        "join": {"run": tool(join, O, many), "in": {"f": "double/o"}, "out": ["o"]},
        "all": {"run": tool(join, O, many | last), "in": {"f": "pick/o", "g": "join/o"}, "out": ["o"]},
    }  # fmt: skip
    document = workflow(steps, {"o": {"type": "File", "outputSource": "all/o"}}, {"ns": "int[]", "late": "File"})
    deploy(mill, document, name)
    web.page(f"/{name}", b"not yet")
    job_id = mill.submit(name, late={"href": f"{web.url}/{name}"}, ns=[1, 2, 3, 2])  # two items are the same
    assert mill.ended(job_id, 30).status is Status.FAILED
    done = [step for step, outcome in ran(mill, job_id).items() if outcome == "success"]
    web.page(f"/{name}", b"now")
    again = retried(mill, job_id)
    assert result(mill, again).split() == ["1", "2", "3", "2", "11", "22", "33", "22"]
    reused = [step for step, outcome in ran(mill, again).items() if outcome == "reused"]
    assert [step for step in reused if step.startswith("double")]
    assert len(reused) <= len(done) + 1  # of two that are the same one may have been done


def test_equal_items_have_each_their_own_outcome_again(mill: Mill, web: Site, name: str) -> None:
    """What is random is not the same for all."""
    random = tool("open('o', 'w').write(open('/proc/sys/kernel/random/uuid').read().strip())", O, {"n": "int"})
    join = "import sys; open('o', 'w').write(' '.join(open(path).read() for path in sys.argv[2:]))"
    late = {"late": {"type": "File", "inputBinding": {"position": 1}}}
    many = {"f": {"type": "File[]", "inputBinding": {"position": 2}}}
    patient = "import sys; 'not yet' in open(sys.argv[1]).read() and sys.exit('too early')\n" + join
    steps = {
        "draw": {"run": random, "in": {"n": "ns"}, "scatter": "n", "out": ["o"]},
        "all": {"run": tool(patient, O, late | many), "in": {"f": "draw/o", "late": "late"}, "out": ["o"]},
    }
    document = workflow(steps, {"o": {"type": "File", "outputSource": "all/o"}}, {"ns": "int[]", "late": "File"})
    deploy(mill, document, name)
    web.page(f"/{name}", b"not yet")
    job_id = mill.submit(name, late={"href": f"{web.url}/{name}"}, ns=[1, 1, 1])
    assert mill.ended(job_id, 30).status is Status.FAILED
    web.page(f"/{name}", b"now")
    again = retried(mill, job_id)
    assert len(set(result(mill, again).split())) == 3
    assert sorted(ran(mill, again).values()) == ["reused"] * 3 + ["success"]


def test_different_inputs_are_never_taken_for_each_other(mill: Mill, web: Site, name: str) -> None:
    """Each step is given what the others are not, in the same places and under the same names."""
    word = {"s": {"type": "string", "inputBinding": {}}}
    echo = tool("import sys; open('o', 'w').write(sys.argv[1])", O, word)
    listing = "import os, sys; open('o', 'w').write(str(sorted(os.walk(sys.argv[1]))[0][1:]))"
    folder = "import os; os.mkdir('d'); os.mkdir('d/{}')"
    given = {"d": glob("d", "Directory")}
    taken = {"d": {"type": "Directory", "inputBinding": {}}}
    steps: Json = {
        "a": {"run": echo, "in": {"s": {"default": "a"}}, "out": ["o"]},
        "b": {"run": echo, "in": {"s": {"default": "b"}}, "out": ["o"]},
        "x": {"run": tool(folder.format("x"), given), "in": {}, "out": ["d"]},
        "y": {"run": tool(folder.format("y"), given), "in": {}, "out": ["d"]},
        "p": {"run": tool(listing, O, taken), "in": {"d": "x/d"}, "out": ["o"]},
        "q": {"run": tool(listing, O, taken), "in": {"d": "y/d"}, "out": ["o"]},
    }
    join = "import sys; open('o', 'w').write(' '.join(open(name).read() for name in sys.argv[1:5]))\n"
    join += "if 'not yet' in open(sys.argv[5]).read(): sys.exit(1)"
    files = {f"f{n}": {"type": "File", "inputBinding": {"position": n}} for n in range(1, 6)}
    sources = {"f1": "a/o", "f2": "b/o", "f3": "p/o", "f4": "q/o", "f5": "late"}
    steps["all"] = {"run": tool(join, O, files), "in": sources, "out": ["o"]}
    document = workflow(steps, {"o": {"type": "File", "outputSource": "all/o"}}, {"late": "File"})
    job_id = failed(mill, web, name, document)
    again = retried(mill, job_id)
    assert result(mill, again) == "a b (['x'], []) (['y'], [])"
    assert [step for step, outcome in ran(mill, again).items() if outcome != "reused"] == ["all"]


def test_what_has_not_ended_is_not_retried_and_what_succeeded_is(mill: Mill, name: str) -> None:
    deploy(mill, tool("import time; time.sleep(600)"), name)
    job_id = mill.submit(name)
    reply = mill.call("POST", f"/jobs/{job_id}/retry")
    assert (reply.status, "dismiss it first" in reply.json()["detail"]) == (409, True)
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200
    again = retried(mill, job_id)  # of a dismissed one
    assert mill.call("DELETE", f"/jobs/{again}").json()["status"] == "dismissed"
    echoed = mill.submit("echo", echoInput="again")  # of a successful one, that of a function
    assert mill.ended(echoed).status is Status.SUCCESSFUL
    assert mill.ended(retried(mill, echoed)).status is Status.SUCCESSFUL


def test_a_value_that_a_retry_hands_on_is_the_same(mill: Mill, web: Site, name: str) -> None:
    values = expression("return {o: {n: 1.5, s: ['a', null, true]}};", {"o": "Any"})
    script = "import json, sys; open('o', 'w').write(open('in.json').read())\n"
    script += "if 'not yet' in open(sys.argv[1]).read(): sys.exit(1)"
    inputs = {"v": "Any", "late": {"type": "File", "inputBinding": {}}}
    staged = {"InlineJavascriptRequirement": {}, "InitialWorkDirRequirement": {
        "listing": [{"entryname": "in.json", "entry": "${return JSON.stringify(inputs.v);}"}]}}  # fmt: skip
    steps = {
        "make": {"run": values, "in": {}, "out": ["o"]},
        "take": {"run": tool(script, O, inputs, requirements=staged), "in": {"v": "make/o", "late": "late"},
                 "out": ["o"]},
    }  # fmt: skip
    document = workflow(steps, {"o": {"type": "File", "outputSource": "take/o"}}, {"late": "File"})
    assert result(mill, retried(mill, failed(mill, web, name, document))) == '{"n":1.5,"s":["a",null,true]}'
