"""From what a client deploys to a version of a process: fetched, validated, described, kept."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from geomill.app.config import Settings
from geomill.app.cwl.document import LARGEST, InvalidPackage
from geomill.app.cwl.validate import validate
from geomill.app.exchange.package import Package
from geomill.app.exchange.schema import compile_schema
from geomill.app.exchange.wording import meant, shown
from geomill.app.guard import Guard, Refused, Unreachable
from geomill.app.sandbox import NoIsolation, Sandbox
from geomill.jobstore.records import now, timestamp
from geomill.processes.deployed import Deployed, Version
from geomill.processes.description import valid_id
from geomill.processes.packages import PASSABLE
from geomill.processes.records import Process

PATIENCE = 30.0  # seconds to fetch a document, while its client waits
DOCKER = "docker"  # the runner of a bare image, which this server does not have
_SPOKEN = ("title", "description", "version", "keywords", "metadata", "additionalParameters", "jobControlOptions")


@dataclass(frozen=True)
class Plan:
    """What a package becomes when it is deployed.

    entry: the process in the document that runs; needs: as app.cwl.description.Needs; warnings: sentences;
    workflow: as app.cwl.graph.
    """

    process_id: str
    description: dict[str, Any]
    entry: str
    runner: str
    document: bytes | None = None
    needs: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    workflow: Mapping[str, Any] | None = None


def plan(
    package: Package, settings: Settings, guard: Guard, *, w: str | None = None, replaced: str | None = None
) -> Plan:
    """What would be deployed. w: names the entry of the document; replaced: the process that it becomes.

    Raises InvalidPackage, WorkflowNotFound, Unsupported, Refused, Unreachable.
    """
    if package.image is not None:
        return _of_image(package, replaced)
    folder = settings.home / "packages"
    folder.mkdir(mode=PASSABLE, parents=True, exist_ok=True)
    document = package.document if package.document is not None else _fetched(str(package.href), guard, folder)
    named = replaced or package.description.get("id")
    found = validate(document, w, named, settings.describe_limit, folder)
    process_id = str(found["id"] if named is None else named)
    _check_id(process_id)
    return Plan(
        process_id=process_id,
        description=_overlaid(found["description"], package.description, process_id),
        entry=found["entry"],
        runner="cwl",
        document=document,
        needs=found["needs"],
        warnings=found["warnings"],
        workflow=found["workflow"],
    )


def keep(planned: Plan, package: Package, deployed: Deployed) -> Version:
    """Keep a package, so that it can be deployed."""
    described = {
        "function": planned.entry,
        "description": planned.description,
        "needs": dict(planned.needs),
        **({"workflow": planned.workflow} if planned.workflow else {}),
    }
    record = {"media_type": package.media_type, "processes": [described]}
    return Version(
        version=planned.description["version"],
        package=deployed.keep(package.received, planned.document, record),
        entry=planned.entry,
        runner=planned.runner,
        deployed=timestamp(now()),
    )


def preview(planned: Plan, deployed: Deployed) -> Process:
    """The process that would be deployed."""
    return deployed.process(planned.process_id, planned.description, runner=planned.runner)


def prepare(planned: Plan, sandbox: Sandbox) -> None:
    """Have the images at hand that its tools run in, if this host has them at all. Raises NoIsolation."""
    for image in planned.needs.get("images", ()):
        sandbox.prepare(image["reference"])


def isolation(planned: Plan, sandbox: Sandbox) -> tuple[dict[str, Any], list[str]]:
    """What would keep its tools apart from this host, and what to know of that."""
    if planned.runner == DOCKER:
        return {"level": "none", "description": "It does not run on this server."}, []
    images = [image["reference"] for image in planned.needs["images"]]
    images += [None] if planned.needs["without_image"] or not images else []
    try:
        levels = [sandbox.level(image, planned.needs["network"]) for image in images]
    except NoIsolation as error:
        return {"level": "refused", "description": str(error)}, [str(error)]
    warnings = [warning for level in levels for warning in level.warnings]
    weakest = levels[-1]
    return {"level": weakest.name, "description": weakest.sentence}, list(dict.fromkeys(warnings))


def _fetched(href: str, guard: Guard, folder: Path) -> bytes:
    """The document that a package links."""
    guard = replace(guard, max_bytes=min(LARGEST, guard.max_bytes), timeout=PATIENCE)
    with tempfile.TemporaryDirectory(prefix=".fetched-", dir=folder) as place:
        try:
            return guard.fetch(href, Path(place)).path.read_bytes()
        except (Refused, Unreachable) as error:
            raise InvalidPackage(f'"executionUnit.href" cannot be fetched: {error}') from error


def _of_image(package: Package, replaced: str | None) -> Plan:
    """A bare image: it is kept and shown, and says what is missing when somebody executes it."""
    process_id = replaced or str(package.description.get("id", ""))
    if not process_id:
        raise InvalidPackage('A Docker execution unit says nothing of the process: "processDescription" needs an "id".')
    _check_id(process_id)
    base = {"id": process_id, "version": "1.0.0", "jobControlOptions": ["async-execute", "dismiss"]}
    given = {**base, "outputTransmission": ["value", "reference"], "inputs": {}, "outputs": {}}
    description = {**given, **_spoken(package.description)}
    for kind in ("inputs", "outputs"):
        for name, member in package.description.get(kind, {}).items():
            description[kind][name] = {"schema": {}, **_with_parameters(member)}
            _check_schema(kind, name, member.get("schema", {}))
    warning = f"This server runs CWL application packages; it does not run the image {package.image} by itself."
    return Plan(process_id, description, entry=process_id, runner=DOCKER, warnings=[warning])


def _overlaid(derived: dict[str, Any], given: Mapping[str, Any], process_id: str) -> dict[str, Any]:
    """The description that a document gives, and over it what the client says."""
    description = {**derived, **_spoken(given), "id": process_id}
    for kind in ("inputs", "outputs"):
        known = derived[kind]
        for name, member in given.get(kind, {}).items():
            if name not in known:
                said = f'"processDescription.{kind}.{name}" is no {kind[:-1]} of the CWL process.'
                raise InvalidPackage(f"{said}{meant(name, known)}")
            _check_schema(kind, name, member.get("schema", {}))
            description[kind] = {**description[kind], name: {**known[name], **_with_parameters(member)}}
    return description


def _spoken(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a client may say of a process, of what he says."""
    spoken = {name: given[name] for name in _SPOKEN if name in given}
    options = [each for each in spoken.get("jobControlOptions", []) if each in ("sync-execute", "async-execute")]
    if "jobControlOptions" in spoken:
        spoken["jobControlOptions"] = [*dict.fromkeys([*options, "async-execute"]), "dismiss"]
    if "metadata" in spoken:
        spoken["metadata"] = [entry for entry in spoken["metadata"] if isinstance(entry, dict)]
    if "keywords" in spoken:
        spoken["keywords"] = list(map(str, spoken["keywords"]))
    return _with_parameters(spoken)


def _with_parameters(member: Mapping[str, Any]) -> dict[str, Any]:
    """A description whose additional parameters are as the standard has them, not as its test suite sends them.

    A list of them instead of an object, and a value that is no list, are understood. additionalParameter.yaml
    """
    given = member.get("additionalParameters")
    if given is None:
        return dict(member)
    outer = {"parameters": given} if isinstance(given, list) else given if isinstance(given, dict) else {}
    parameters = []
    for each in outer.get("parameters") or []:
        if not isinstance(each, dict) or "name" not in each:
            continue
        value = each.get("value")
        parameters.append({**each, "value": value if isinstance(value, list) else [value]})
    return {**member, "additionalParameters": {**outer, "parameters": parameters}}


def _check_id(process_id: str) -> None:
    if not valid_id(process_id) or process_id.startswith(".") or len(process_id.encode()) > 200:
        expected = "letters, digits and . _ : ~ -, not a dot first, at most 200"
        raise InvalidPackage(f"{shown(process_id)} cannot be the id of a process; expected {expected}.")


def _check_schema(kind: str, name: str, schema: Mapping[str, Any]) -> None:
    try:
        compile_schema(schema)
    except ValueError as error:
        raise InvalidPackage(f'"processDescription.{kind}.{name}.schema" is no JSON Schema: {error}') from error
