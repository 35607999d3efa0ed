"""Expressions, evaluated by QuickJS where cwltool would ask node."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import DOCUMENTS


@pytest.fixture
def engine() -> Any:
    from geomill.app.cwl.javascript import QuickJSEngine

    return QuickJSEngine()


@pytest.mark.parametrize(
    "expression, value",
    [
        ("(1 + 1)", 2),
        ("(0.1 + 0.2)", 0.30000000000000004),
        ("{return [1, 2].map(x => x * 2);}", [2, 4]),
        ("(inputs.name.replace(/(\\d+)/g, '<$1>'))", "b<08>_ü"),
        ("(JSON.stringify({a: [1, null]}))", '{"a":[1,null]}'),
        ("(twice(4))", 8),
        ("(undefined)", None),
        ("(null)", None),
        ("{}", None),
        ("{return;}", None),
        ("(0 / 0)", None),
        ("({a: undefined, b: NaN, c: [undefined, function () {}]})", {"b": None, "c": [None, None]}),
        ("('\\ud83d\\ude00 ' + '\\u0000')", "\U0001f600 \x00"),
        ("(9007199254740991)", 9007199254740991),
        ("(1e21)", 1e21),
        ("(new Date(0).toISOString())", "1970-01-01T00:00:00.000Z"),
        ("(typeof require + typeof process)", "undefinedundefined"),
        ("{JSON.stringify = null; return {a: 1};}", {"a": 1}),
        ("{try { undeclared = 1; } catch (error) { return error.name; }}", "ReferenceError"),
    ],
)
def test_an_expression_has_the_value_that_node_would_give(engine: Any, expression: str, value: Any) -> None:
    library = 'function twice(x) { return 2 * x; }\nvar inputs = {"name": "b08_ü"};'
    assert engine.eval(expression, library) == value


@pytest.mark.parametrize(
    "expression, said",
    [
        (
            '{throw new Error("no band nir");}',
            'Error: no band nir\nin the expression ${throw new Error("no band nir");}',
        ),
        ('{throw "as text";}', "as text\n"),
        ("{throw {code: 5};}", '{"code":5}\n'),
        ("(inputs.a.b)", "ReferenceError: inputs is not defined\nin the expression $(inputs.a.b)"),
        ("(1 +)", "SyntaxError"),
        ("{let o = {}; o.o = o; return o;}", "TypeError: circular reference"),
        ("{return f(); function f() { return f(); }}", "RangeError: Maximum call stack size exceeded"),
        ("{let a = []; while (true) a.push('x'.repeat(1000) + a.length);}", "more than 256 MiB of memory"),
        ("(require('fs'))", "ReferenceError: require is not defined"),
    ],
)
def test_what_a_script_throws_is_what_is_said(engine: Any, expression: str, said: str) -> None:
    from cwl_utils.errors import JavascriptException

    with pytest.raises(JavascriptException) as error:
        engine.eval(expression, timeout=10)
    assert said in str(error.value)


@pytest.mark.parametrize("script", ["{while (true) {}}", '(/(a+)+$/.test("a".repeat(40) + "b"))'])
def test_an_endless_script_is_stopped(engine: Any, script: str) -> None:
    from cwl_utils.errors import JavascriptException

    with pytest.raises(JavascriptException, match=r"stopped after 0\.2 seconds of computing"):
        engine.eval(script, timeout=0.2)


def test_other_threads_go_on_while_a_script_runs(engine: Any) -> None:
    from cwl_utils.errors import JavascriptException

    failed = []

    def spin() -> None:
        try:
            engine.eval("{while (true) {}}", timeout=0.3)
        except JavascriptException as error:
            failed.append(str(error))

    thread = threading.Thread(target=spin)
    thread.start()
    turns = 0
    while thread.is_alive():
        turns += 1
        time.sleep(0)
    assert turns > 10
    assert "stopped" in failed[0]


def test_what_a_script_writes_to_its_console_is_logged(engine: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cwltool")
    assert engine.eval('{console.log("seen", {a: 1}, undefined); console.error(2); return 3;}') == 3
    assert [record.getMessage() for record in caplog.records] == [
        '[javascript] seen {"a":1} undefined',
        "[javascript] 2",
    ]


def test_large_inputs_are_no_trouble(engine: Any) -> None:
    items = ", ".join(f'"{"x" * 90}{n}"' for n in range(20_000))
    assert engine.eval("(inputs.length)", f"var inputs = [{items}];") == 20_000


def test_nothing_is_left_from_one_expression_to_the_next(engine: Any) -> None:
    engine.eval("{globalThis.left = 1; Array.prototype.map = null; return 1;}")
    assert engine.eval("{return [typeof left, [1].map(x => x + 1)];}") == ["undefined", [2]]


def test_cwltool_evaluates_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cwltool.context import RuntimeContext
    from cwltool.executors import SingleJobExecutor

    from geomill.app.cwl import loading

    monkeypatch.setenv("PATH", "/nowhere")
    tool = loading.load(DOCUMENTS / "main.cwl", "main")
    context = RuntimeContext({"outdir": str(tmp_path), "basedir": str(tmp_path)})
    assert SingleJobExecutor()(tool, {"a": 41}, context) == ({"b": 42}, "success")


@pytest.mark.parametrize(
    "bomb",
    [
        '(/^(a+)+$/.test("a".repeat(40) + "b"))',
        '(/(x+x+)+y/.test("x".repeat(40)))',
        '("a".repeat(200000).replace(/a*b/g, ""))',
        "{while (true) { try { while (true); } catch (error) {} }}",
        "((3n ** 30000000n).toString())",
        "(Array(1e7).fill(0).map(Math.random).sort((a, b) => a - b))",
    ],
)
def test_no_expression_computes_for_much_longer_than_it_may(engine: Any, bomb: str) -> None:
    from cwl_utils.errors import JavascriptException

    begin = time.process_time()
    with pytest.raises(JavascriptException):
        engine.eval(bomb, timeout=1)
    assert time.process_time() - begin < 5
