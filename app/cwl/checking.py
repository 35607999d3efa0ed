"""What cwltool says late, badly or not at all about a document, said before it is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from geomill.app.exchange.wording import shown

from .document import CLASSES, InvalidPackage, Unsupported, check_class, children, graph, runs, where

# CWL v1.2, 5.4 and 5.5; what others make of their own is no requirement that this server could keep
REQUIREMENTS = frozenset(
    "InlineJavascriptRequirement SchemaDefRequirement LoadListingRequirement DockerRequirement SoftwareRequirement "
    "InitialWorkDirRequirement EnvVarRequirement ShellCommandRequirement ResourceRequirement WorkReuse NetworkAccess "
    "InplaceUpdateRequirement ToolTimeLimit SubworkflowFeatureRequirement ScatterFeatureRequirement "
    "MultipleInputFeatureRequirement StepInputExpressionRequirement".split()
)
DIRECTIVES = ("$import", "$include", "$mixin")


def check(document: Any, bundled: Callable[[str], str | None]) -> None:
    """Raise InvalidPackage for references out of the document and ids given twice, Unsupported for requirements.

    bundled: the text of a schema by its address, None for those that are not at hand.
    """
    processes = graph(document) if "$graph" in document else {}
    if "$graph" not in document:
        check_class(document, "A document")
    imports = {id(each) for part in _parts(document) for each in _type_imports(part)}
    for part in _parts(document):
        if "$import" in part and id(part) not in imports:
            raise _not_fetched(part, "$import")
        _check_references(part, processes, bundled)
    for part in _parts(document):
        if part.get("class") in CLASSES:
            _check_sections(part)
            _check_steps(part)
        _check_names(part)
        _check_file(part)
        if part.get("class") == "Operation":
            raise Unsupported(f"{where(part, 'class')}An Operation only describes a step; this server cannot run it.")
        if "inputs" in part or "run" in part:
            _check_requirements(part)
    for name in processes:
        if name in _reached(name, processes):
            raise InvalidPackage(f'{where(processes[name], "id")}The workflow "{name}" runs itself.')


def _parts(value: Any) -> Iterator[Any]:
    """Every mapping in a document."""
    if isinstance(value, dict):
        yield value
    for inner in children(value):
        yield from _parts(inner)


def _type_imports(part: Any) -> list[Any]:
    """What the types of a SchemaDefRequirement import: the one place where cwltool can be trusted with it."""
    found = part if part.get("class") == "SchemaDefRequirement" else part.get("SchemaDefRequirement")
    types = found.get("types") if isinstance(found, dict) else None
    return [each for each in types if isinstance(each, dict)] if isinstance(types, list) else []


def _not_fetched(part: Any, name: str) -> InvalidPackage:
    return InvalidPackage(
        f"{where(part, name)}{name} of {shown(part[name])}: it is not part of the package, and nothing is fetched. "
        f"Put the text into the document itself (cwltool --pack does)."
    )


def _check_sections(process: Any) -> None:
    for section in ("inputs", "outputs", "steps", "requirements", "hints"):
        given = process.get(section, [])
        if not isinstance(given, list | dict):
            raise InvalidPackage(
                f"{where(process, section)}{section} must be a mapping by name or a list, not {shown(given)}."
            )
        for number, each in enumerate(given) if isinstance(given, list) else ():
            if not isinstance(each, dict):
                raise InvalidPackage(f"{where(given, number)}{section} must hold mappings, not {shown(each)}.")
            if section in ("inputs", "outputs") and "type" in each:
                _check_type(each["type"], where(each, "type"))
        for name, each in given.items() if isinstance(given, dict) else ():
            if section in ("inputs", "outputs"):
                _check_type(each["type"] if isinstance(each, dict) and "type" in each else each, where(given, name))
            elif not isinstance(each, dict):
                raise InvalidPackage(
                    f'{where(given, name)}"{name}" of the {section} must be a mapping, not {shown(each)}.'
                )


def _check_steps(process: Any) -> None:
    """What steps hold to run has a class."""
    for step in children(process.get("steps")):
        if isinstance(step.get("run"), dict):
            check_class(step["run"], "What a step runs")


def _check_type(given: Any, place: str) -> None:
    if isinstance(given, list):
        for each in given:
            _check_type(each, place)
    elif isinstance(given, dict):
        for name in ("type", "items"):
            if name in given:
                _check_type(given[name], where(given, name) or place)
        fields: Any = given.get("fields")
        if given.get("type") == "record" and not isinstance(fields, list | dict):
            raise InvalidPackage(f"{place}A record must have fields.")
        names: Any = fields if isinstance(fields, dict) else range(len(fields or ()))
        for name in names:
            _check_type(fields[name], where(fields, name) or place)
    elif not isinstance(given, str):
        raise InvalidPackage(f"{place}A type must be a name, a mapping or a list of these, not {shown(given)}.")


def _check_references(part: Any, processes: Any, bundled: Callable[[str], str | None]) -> None:
    for name in ("id", "name", "$base"):  # cwltool would read the one in the place of the other, without end
        if isinstance(part.get(name), str) and bundled(part[name]) is not None:
            raise InvalidPackage(f"{where(part, name)}The {name} is the address of a schema: give it another.")
    for name in DIRECTIVES:
        if name not in part:
            continue
        given = part[name]
        if name != "$import" or not isinstance(given, str) or bundled(given) is None:
            raise _not_fetched(part, name)
    if isinstance(part.get("run"), str) and ("in" in part or "out" in part):
        given = part["run"]
        if not given.startswith("#"):
            hint = f' Did you mean "#{given}"?' if given in processes else ""
            raise InvalidPackage(
                f"{where(part, 'run')}A step runs {shown(given)}, which is not part of the package, and nothing is "
                f"fetched.{hint or ' Put it into the $graph of the document (cwltool --pack does).'}"
            )
        if given[1:] not in processes and "/" not in given:
            raise InvalidPackage(f'{where(part, "run")}A step runs "{given}", which is not in the document.')


def _check_file(part: Any) -> None:
    for name in ("location", "path") if part.get("class") in ("File", "Directory") else ():
        given = part.get(name)
        if isinstance(given, str) and not re.match(r"(https?|s3)://|\$[({]", given):
            raise InvalidPackage(
                f"{where(part, name)}The {part['class']} {shown(given)} is not part of the package: give its contents, "
                f"or an http address as its location."
            )


def _check_names(part: Any) -> None:
    for section in ("inputs", "outputs", "steps", "fields"):
        names: set[str] = set()
        for number, each in enumerate(part[section]) if isinstance(part.get(section), list) else ():
            name = each.get("id", each.get("name")) if isinstance(each, dict) else None
            if isinstance(name, str) and name in names:
                raise InvalidPackage(f'{where(part[section], number)}Two of the {section} have the id "{name}".')
            names.add(str(name))


def _check_requirements(part: Any) -> None:
    given = part.get("requirements")
    if isinstance(given, dict):
        classes = [(name, where(given, name)) for name in given if name not in DIRECTIVES]
    else:
        several = given if isinstance(given, list) else []
        classes = [(each.get("class"), where(each, "class")) for each in several if isinstance(each, dict)]
    for name, place in classes:
        if isinstance(name, str) and name.rpartition("#")[2] not in REQUIREMENTS:
            raise Unsupported(f"{place}This server cannot run what requires {name}. Under hints it would be ignored.")


def _reached(name: str, processes: Any) -> set[str]:
    """The processes that one runs, at any depth."""
    reached: set[str] = set()
    todo = [name]
    while todo:
        new = {run for run in runs(processes[todo.pop()]) if run in processes} - reached
        reached |= new
        todo.extend(new)
    return reached
