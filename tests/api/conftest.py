"""A client that holds every response against our own API definition, and against the standard's where it is at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import pytest
from flask.testing import FlaskClient
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from support.mills import Mill, dispatching, serving
from werkzeug.test import TestResponse

from geomill.app import create_app, openapi
from geomill.app.config import Settings
from geomill.app.server import Geomill

STANDARD = Path(__file__).parents[3] / "shared/standard/schemas/bundled"


class CheckedClient(FlaskClient):
    """Every response is one that the API definition announces: its status, media type, body and headers."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **{"buffered": True, **kwargs})  # read and closed
        app = self.application
        assert isinstance(app, Geomill)
        check(response, our_own(app), complete=True)
        for definition in (version_1_0(), version_2_0()) if STANDARD.exists() else ():
            check(response, definition, complete=False)
        return response


def check(response: TestResponse, definition: dict[str, Any], complete: bool) -> None:
    """complete: a status or media type that the definition does not have is an error."""
    operation = find_operation(definition, response.request.path, response.request.method, response.status_code)
    if operation is None:
        return
    answer = resolve(definition, operation["responses"].get(str(response.status_code)))
    assert answer or not complete, f"undocumented status {response.status_code} of {operation['operationId']}"
    if not answer or response.request.method == "HEAD":
        return
    for header in answer.get("headers", {}) if complete else ():
        assert header in response.headers or header in OPTIONAL, f"{header} is announced and missing"
    content = answer.get("content", {})
    if "content" not in answer or not response.data:
        return
    media_type = next((each for each in (response.content_type, response.mimetype, "*/*") if each in content), None)
    assert media_type or not complete, f"undocumented media type {response.content_type}"
    if response.is_json and media_type and "schema" in content[media_type]:
        schema = {**content[media_type]["schema"], "components": definition["components"]}
        validator = OAS30Validator(schema, format_checker=oas30_format_checker)
        wrong = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(response.json)]
        assert not wrong, f"{operation['operationId']} of {definition['info']['version']}: {wrong}"


METHODS = ("get", "put", "post", "delete", "patch")
OPTIONAL = {"ETag", "Retry-After", "Link", "Location", "Preference-Applied", "Content-Disposition", "Content-Range"}


def find_operation(definition: dict[str, Any], path: str, method: str, status: int = 200) -> dict[str, Any] | None:
    """What is documented of a request; a method that a path does not have is refused as any of its operations says."""
    path = re.sub("^(/acme|/zeta|/default)?/ogc-api(?=/|$)", "", re.sub("/+", "/", path).rstrip("/")) or "/"
    for template, operations in definition["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            methods = {name: found for name, found in operations.items() if name in METHODS}
            other = next(iter(methods.values())) if status == 405 else None
            return methods.get("get" if method == "HEAD" else method.lower(), other)
    return None


def resolve(definition: dict[str, Any], answer: dict[str, Any] | None) -> dict[str, Any] | None:
    if answer and "$ref" in answer:
        found: dict[str, Any] = definition["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        return found
    return answer


def our_own(app: Geomill) -> dict[str, Any]:
    """Our own definition, which is the same for all applications of a title and a description."""
    said = (app.settings.title, app.settings.description)
    if said not in _OUR_OWN:
        _OUR_OWN[said] = openapi.document(app, "http://localhost")
    return _OUR_OWN[said]


_OUR_OWN: dict[tuple[str, str], dict[str, Any]] = {}


@cache
def version_1_0() -> dict[str, Any]:
    """The definition of the published standard, but where nothing can fit it."""
    definition: dict[str, Any] = json.loads((STANDARD / "ogcapi-processes-1.0.json").read_text())
    # a value's oneOf has branches for number and integer, and an integer is both
    values = definition["components"]["schemas"]["inputValueNoObject"]
    values["anyOf"] = values.pop("oneOf")
    # the same, and any results document is an object besides
    definition["components"]["responses"]["ExecuteSync"].pop("content")
    return definition


@cache
def version_2_0() -> dict[str, Any]:
    """The definition of the draft, but where nothing can fit it or DESIGN.md decides otherwise."""
    definition: dict[str, Any] = json.loads((STANDARD / "ogcapi-processes-draft.json").read_text())
    responses, schemas = definition["components"]["responses"], definition["components"]["schemas"]
    # an integer fits number and integer, so that no integer can be the value of a synchronous answer
    answers = responses["rExecuteSync"]["content"]["application/json"]["schema"]["anyOf"][0]
    answers["anyOf"] = answers.pop("oneOf")
    # the text says that an output's address gives the value itself (job-results-async-one); the file wraps objects
    responses["rOutput"].pop("content")
    # the draft has documents alone here; a request that says `response: raw` gets its value, as in 1.0
    results = responses["rResults"]["content"]["application/json"]
    results["schema"] = {"anyOf": [results["schema"], {"not": {"type": "object"}}]}
    # a list fits a value and several values; a bare object, which 1.0 does not know either, fits nothing
    schemas["inputs"]["properties"]["inputs"] = {"type": "object"}
    # it comes back byte for byte, and the official test suite's own package has no wrapper `process`
    definition["paths"]["/processes/{processID}/package"]["get"]["responses"]["200"].pop("content")
    # an id here, as in 1.0: one document serves both versions
    schemas["statusInfo"]["allOf"][1]["properties"]["processID"].pop("format")
    return definition


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where processes are described once for all tests."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture
def settings(tmp_path: Path, packages: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    (home / "packages").symlink_to(packages)
    return Settings(home=home, runtime_dir=tmp_path / "run")


@pytest.fixture
def app(settings: Settings) -> Iterator[Geomill]:
    app = create_app(settings)
    app.test_client_class = CheckedClient
    yield app


@pytest.fixture
def client(app: Geomill) -> FlaskClient:
    return app.test_client()


PROCESSES = '''
import os, time
from pathlib import Path
from typing import Annotated, TypedDict
from geomill.processes import BadInput, File, Progress, process

Text = Annotated[Path, File("A text", "text/plain")]

@process
def add(a: int, b: int = 1) -> int:
    """Add."""
    print(f"adding {a} and {b}")
    return a + b

@process
def both(text: str) -> TypedDict("Both", {"first": str, "second": dict}):
    """Two outputs."""
    return {"first": text, "second": {"text": text}}

@process
def fail(how: str) -> int:
    """Fail in a way."""
    print("about to fail")
    if how == "input":
        raise BadInput("how", "is no way to go on")
    if how == "exit":
        os._exit(3)
    if how == "disk":
        raise OSError(28, "No space left on device")
    raise ValueError("it broke")

@process(time_limit=0.3)
def endless() -> int:
    """Go on for ever."""
    while True:
        time.sleep(0.01)

@process
def wait(flag: str) -> int:
    """Wait for a file."""
    while not Path(flag).exists():
        time.sleep(0.01)
    return 1

@process(job_control=["sync-execute"])
def waited(flag: str) -> int:
    """Wait for a file, and be waited for."""
    return wait(flag)

@process(job_control=["async-execute", "dismiss"])
def later() -> int:
    """Only ever a job of its own."""
    return 1

@process
def page(text: str) -> Annotated[Path, File("A page", "text/html")]:
    """A file that a browser would run."""
    Path("page.html").write_text(text)
    return Path("page.html")

@process
def named(name: str, text: str = "x") -> Path:
    """A file of any name, and so of any type; the log has the same in it."""
    print(text)
    Path(name).write_text(text)
    return Path(name)

@process
def many() -> list[Annotated[Path, File("A text", "text/plain")]]:
    """Several files."""
    paths = [Path(f"{number}.txt") for number in range(3)]
    for path in paths:
        path.write_text(path.stem)
    return paths

@process
def read(file: Text, more: list[Text] | None = None) -> list[list[str]]:
    """What is in files, and the ends of their names; which it then spoils."""
    found = [[path.read_text(), path.suffix] for path in (file, *(more or []))]
    file.write_text("spoilt")
    return found

@process
def large(size: int) -> Annotated[Path, File("Bytes", "application/octet-stream")]:
    """A file of zeros."""
    with open("large.bin", "wb") as file:
        file.truncate(size)
    return Path("large.bin")
'''


@contextmanager
def trying(root: Path, **environment: str) -> Iterator[Mill]:
    """A server of one worker with these processes, for requests that no client would send. root: an empty folder."""
    (root / "processes").mkdir()
    (root / "processes/tried.py").write_text(PROCESSES)
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(root / "processes",))
    with serving(settings, "--workers", "1", shared=True, **environment) as mill:
        yield mill


@pytest.fixture(scope="session")
def working(tmp_path_factory: pytest.TempPathFactory, packages: Path) -> Iterator[Geomill]:
    """An application whose jobs run: a dispatcher starts them."""
    folder, home = tmp_path_factory.mktemp("processes"), tmp_path_factory.mktemp("home")
    (folder / "tried.py").write_text(PROCESSES)
    (home / "packages").symlink_to(packages)
    settings = Settings(home=home, runtime_dir=tmp_path_factory.mktemp("run"), processes=(folder,))
    app = create_app(settings)
    app.test_client_class = CheckedClient
    with dispatching(settings, shared=True):
        yield app


@pytest.fixture
def worker(working: Geomill) -> FlaskClient:
    """A client whose jobs run."""
    return working.test_client()


class Execute(Protocol):
    """Sends an execute request; headers are written with an underscore."""

    def __call__(self, process: str, body: Any, **headers: str) -> TestResponse: ...


@pytest.fixture
def execute(worker: FlaskClient) -> Execute:
    """Execute a process whose jobs run."""

    def post(process: str, body: Any, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return worker.post(f"/processes/{process}/execution", json=body, headers=named)

    return post


@pytest.fixture
def finished(execute: Execute, working: Geomill) -> Callable[[str, Any], str]:
    """Execute a process, wait for the end of its job, and give the job's address."""

    def run(process: str, body: Any) -> str:
        accepted = execute(process, body, Prefer="respond-async")
        assert working.engine.run(accepted.json["jobID"], 60).status.final
        return str(accepted.headers["Location"])

    return run
