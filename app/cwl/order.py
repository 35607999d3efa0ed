"""From the inputs of a request to the input object of a CWL process: values by their types, files staged.

The request was held against the description before; what is decided here is what the types of CWL decide.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from cwl_utils.errors import WorkflowException
from cwl_utils.expression import do_eval
from ruamel.yaml import YAML

from geomill.app.cwl.contents import content_of, stated_type
from geomill.app.cwl.directories import Directories
from geomill.app.cwl.formats import fitting
from geomill.app.cwl.needs import formats
from geomill.app.cwl.shapes import MEMBERS, OF_FILES, Type, box, can_be, has_field, is_box, is_plain, named, wrapped
from geomill.app.cwl.types import short
from geomill.app.exchange.addresses import joined
from geomill.app.exchange.file_names import tame
from geomill.app.exchange.inputs import Fetch, Fetched
from geomill.app.exchange.media_types import extension
from geomill.app.exchange.strictjson import loads
from geomill.app.exchange.values import Content
from geomill.app.exchange.wording import shown
from geomill.processes import BadInput

Json = Any
_WEB = re.compile(r"(https?|s3)://\S+", re.ASCII)


class Order:
    """Makes an input object. Everything that is wrong with a value raises BadInput."""

    def __init__(self, tool: Any, folder: Path, fetch: Fetch) -> None:
        """tool: as loaded; folder: for files; fetch: (address, folder, media type)."""
        self.tool, self.folder, self.fetch = tool, folder, fetch
        self._input = ""
        self._parameter: Mapping[str, Any] = {}
        self._fetched: dict[str, Fetched] = {}
        self._used: set[Path] = set()
        self._written: Counter[str] = Counter()  # files that the request holds, by input

    def make(self, inputs: Mapping[str, Json]) -> dict[str, Json]:
        """The input object; inputs that were not given are left to the defaults of the process.

        inputs: of a request, or as `contents` gives them.
        """
        made = {}
        for parameter in self.tool.tool["inputs"]:
            self._input, self._parameter = short(parameter["id"]), parameter
            if inputs.get(self._input) is not None:
                made[self._input] = self._value(inputs[self._input], parameter["type"])
        self._stage_defaults(self.tool, made)
        return made

    def _stage_defaults(self, process: Any, given: Mapping[str, Json]) -> None:
        """Fetch the files that are defaults of a process or a step, by way of the guard like all others."""
        for parameter in process.tool["inputs"]:
            self._input, self._parameter = short(parameter["id"]), parameter
            if self._input not in given:
                self._stage(parameter.get("default"))
        for step in getattr(process, "steps", ()):
            self._stage_defaults(step, {})
            self._stage_defaults(step.embedded_tool, {})

    def _stage(self, value: Json) -> None:
        """Put every file that a value names by its address into the job."""
        if isinstance(value, dict) and value.get("class") in ("File", "Directory"):
            location = str(value.get("location") or value.get("path") or "")
            if _WEB.fullmatch(location):
                staged = self._file(value) if value["class"] == "File" else self._directory(value)
                value.pop("path", None)
                value |= {"location": staged["location"]}
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            self._stage(inner)

    # ---- by type

    def _value(self, value: Json, type_: Type) -> Json:
        """A value as its type has it."""
        type_ = named(type_, self.tool)
        if isinstance(type_, list):
            return self._one_of(value, type_)
        if type_ == "File":
            return self._file(value)
        if type_ == "Directory":
            return self._directory(value)
        if type_ == "Any":
            return self._any(value)
        value = self._by_value(value, type_)
        if member := wrapped(type_):  # a string that its schema makes a record of one
            return value if isinstance(value, dict) else {member: value}
        kind = type_["type"] if isinstance(type_, dict) else type_
        if kind == "array":
            return [self._value(item, type_["items"]) for item in (value if isinstance(value, list) else [value])]
        if kind == "record" and isinstance(value, dict):
            return self._record(box(value) if is_box(type_) else value, type_)
        if kind in ("int", "long") and isinstance(value, float) and value.is_integer():
            return int(value)
        if kind in ("float", "double") and isinstance(value, float) and "e" in repr(value):
            return YAML().load(repr(value))  # which cwltool writes without an exponent, as CWL wants it
        return value

    def _one_of(self, value: Json, types: list[Type]) -> Json:
        """The first of some types that a value can be."""
        choices = [each for each in map(lambda each: named(each, self.tool), types) if each != "null"]
        if value is None:
            return None
        if len(choices) == 1:
            return self._value(value, choices[0])
        if isinstance(value, dict) and set(value) == {"value"}:  # more often itself than the content of a file
            for each in choices:
                if each not in OF_FILES and can_be(value["value"], each):
                    return self._value(value["value"], each)
        for each in choices:
            if can_be(value, each):
                return self._value(value, each)
        return self._value(value, choices[0])

    def _record(self, value: dict[str, Json], type_: Mapping[str, Any]) -> dict[str, Json]:
        """A record; a field says of its files what an input would: what lies beside them, their format."""
        fields = {short(field["name"]): field for field in type_["fields"]}
        made, outer = {}, self._parameter
        for name, member in value.items():
            self._parameter = fields.get(name, {})
            made[name] = self._value(member, fields[name]["type"]) if name in fields and member is not None else member
        self._parameter = outer
        return made

    def _any(self, value: Json) -> Json:
        """Whatever it is: a link is a file, a qualified value is the value."""
        if isinstance(value, dict):
            if isinstance(value.get("href"), str) or value.get("class") == "File":
                return self._file(value)
            if value.get("class") == "Directory":
                return self._directory(value)
            if "value" in value and set(value) <= MEMBERS:
                return value["value"]
        return value

    def _by_value(self, value: Json, type_: Type) -> Json:
        """A value that is no file: bare, qualified, or fetched and read."""
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("href"), str) and is_plain(type_, self.tool) and not has_field(type_, "href"):
            content = self._get(value["href"], value.get("type")).path.read_bytes()
            return _parsed(content, type_)
        if "value" in value and set(value) <= MEMBERS and not has_field(type_, "value"):
            return value["value"]
        return value

    # ---- files

    def _file(self, value: Json) -> Json:
        """A File: by reference, by content, or as CWL itself writes it."""
        if isinstance(value, Content):
            return self._formatted(self._kept(value, None), value.media_type)
        if isinstance(value, str):
            value = {"href": value} if _WEB.fullmatch(value.strip()) else {"value": value}
        if not isinstance(value, dict):
            raise self._wrong(f"must be a file: a link {{href}} or a qualified value {{value}}, not {shown(value)}")
        href = value.get("href") or value.get("location") or value.get("path")
        stated = stated_type(value)
        if href is None:
            try:
                content = content_of(value, formats(self._parameter))
            except ValueError as error:
                raise self._wrong(f"must be base64{error}") from None
            return self._formatted(self._kept(content, value.get("basename")), stated)
        path = self._fetched_as(str(href), value.get("basename"), stated)
        made: dict[str, Json] = {"class": "File", "location": path.as_uri()}
        siblings = [self._file(each) for each in value.get("secondaryFiles", [])]
        siblings = siblings or self._secondary(str(href), path)
        if siblings:
            made["secondaryFiles"] = siblings
        return self._formatted(made, stated)

    def _kept(self, content: Content, name: str | None) -> dict[str, Json]:
        """A file with a content that the request has."""
        number = self._written[self._input]
        self._written[self._input] += 1
        path = self._place(name or content.name(self._input, number))
        path.write_bytes(content.data)
        return {"class": "File", "location": path.as_uri()}

    def _fetched_as(self, href: str, name: str | None, stated: str | None) -> Path:
        """A file by reference, under the name that its address gives it: tools go by names."""
        got = self._get(href, stated)
        last = unquote(urlsplit(href).path.rstrip("/").rpartition("/")[2])
        path = self._place(name or got.name or last or f"{self._input}{extension(stated or got.media_type)}")
        os.link(got.path, path)
        return path

    def _secondary(self, href: str, path: Path) -> list[Json]:
        """The files that belong beside a file: they lie beside it where it came from."""
        found = []
        for pattern in _patterns(self._parameter):
            required, suffix = not pattern.endswith("?"), pattern.removesuffix("?")
            for name in self._beside(path, suffix):
                try:
                    got = self._get(joined(href, quote(name)), None)
                except BadInput:
                    if required:
                        raise
                    continue
                os.link(got.path, path.with_name(name))
                found.append({"class": "File", "location": path.with_name(name).as_uri()})
        return found

    def _beside(self, path: Path, pattern: str) -> list[str]:
        """The names of secondary files, by a pattern or an expression; what an expression makes of nothing is left."""
        if "$(" not in pattern and "${" not in pattern:
            return [_named_beside(path.name, pattern)] if pattern else []
        tool, stem = self.tool, path.name.rpartition(".")[0] or path.name
        file = {"class": "File", "basename": path.name, "nameroot": stem, "nameext": path.name[len(stem) :]}
        requirements = [*tool.requirements, *tool.hints]
        try:
            names = do_eval(pattern, {}, requirements, None, None, {}, context={**file, "location": path.as_uri()})
        except WorkflowException as error:
            raise self._wrong(f"has secondary files that cannot be named: {error}") from error
        listed = names if isinstance(names, list) else [names]
        return [each for each in listed if isinstance(each, str) and each and "/" not in each and each != path.name]

    def _formatted(self, made: dict[str, Json], stated: str | None) -> dict[str, Json]:
        """A file with the format that its parameter asks for and its media type agrees with."""
        if known := formats(self._parameter):
            made["format"] = fitting(known, stated)
        return made

    def _directory(self, value: Json) -> Json:
        """A Directory: an index page, a STAC item or catalog, an archive; by reference, or a STAC item by value."""
        if isinstance(value, str):
            value = {"href": value}
        if isinstance(value, dict) and "value" in value and set(value) <= MEMBERS:
            value = value["value"]
        if not isinstance(value, dict):
            raise self._wrong(f"must be a link {{href}} to a directory, not {shown(value)}")
        directories = Directories(self._get, self._place)
        href = value.get("href") or value.get("location")
        try:
            path = directories.of_document(value, "") if href is None else directories.fetch(str(href))
        except ValueError as error:
            raise self._wrong(str(error)) from error
        return {"class": "Directory", "location": path.as_uri()}

    def _get(self, href: str, stated: str | None = None) -> Fetched:
        """A fetched file; every address once."""
        if href not in self._fetched:
            folder = self.folder / ".fetched"
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._fetched[href] = self.fetch(href, folder, None)
            except (ValueError, ConnectionError) as error:
                raise self._wrong(f"cannot be fetched: {error}") from error
        return self._fetched[href]

    def _place(self, name: str) -> Path:
        """A path for a new file or folder of this name, in a folder of its own."""
        safe = tame(name, "file")
        for number in range(1_000_000):
            folder = self.folder / (self._input if number == 0 else f"{self._input}-{number}")
            if folder not in self._used:
                self._used.add(folder)
                folder.mkdir(parents=True)
                return folder / safe
        raise FileExistsError(self.folder)

    def _wrong(self, sentence: str) -> BadInput:
        return BadInput(self._input, sentence if sentence.endswith(".") else f"{sentence}.")


def _parsed(content: bytes, type_: Type) -> Json:
    """A value that was fetched: text where a string is wanted, else JSON."""
    if type_ == "string":
        return content.decode(errors="replace")
    return loads(content)


def _patterns(parameter: Mapping[str, Any]) -> list[str]:
    """The patterns of the files beside a file, `?` behind those that need not be there."""
    said = parameter.get("secondaryFiles") or []
    patterns = []
    for each in said if isinstance(said, list) else [said]:
        pattern = each.get("pattern") if isinstance(each, Mapping) else each
        if isinstance(pattern, str):
            optional = isinstance(each, Mapping) and each.get("required") is False
            patterns.append(pattern.removesuffix("?") + ("?" if optional or pattern.endswith("?") else ""))
    return patterns


def _named_beside(name: str, pattern: str) -> str:
    """The name of a secondary file: each ^ takes an extension away. Source: CWL v1.2, SecondaryFileSchema."""
    while pattern.startswith("^"):
        name, pattern = (name.rpartition(".")[0] or name), pattern[1:]
    return name + pattern
