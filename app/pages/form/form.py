"""The form of a process: its inputs, the outputs to choose, and whether to wait; and the request that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from geomill.app.exchange.wording import shown
from geomill.app.pages.form.compound import Rows
from geomill.app.pages.form.entries import (
    MISSING,
    MOST_ROWS,
    MOST_SHOWN,
    At,
    Entries,
    Found,
    Json,
    Missing,
    TooMuch,
    bounded,
    inside,
    is_in,
    made,
    same,
)
from geomill.app.pages.form.fields import Field, Written
from geomill.app.pages.form.making import input_field
from geomill.app.pages.form.special import unwrapped

MARK = "geomill-form"  # of a post that comes from a form of ours
INPUTS, OUTPUTS, MORE, MODE = "inputs", "outputs", "more", "mode"
TRANSMISSION = "transmission"
MODES = ("value", "reference")
RAW = Written()


@dataclass(frozen=True)
class Input:
    """An input of a process. It is written in JSON where its field cannot show a value, or somebody wants so."""

    id: str
    field: Field

    @property
    def name(self) -> str:
        """Of its field."""
        return inside(INPUTS, self.id)

    def begin(self, room: int = MOST_SHOWN) -> list[tuple[str, str]]:
        """What is in it at first; a default that its field cannot show is left to the process.

        room: entries that there may be; where it needs more, it is written in JSON.
        """
        try:
            begun = [(f"{self.name}:way", ""), *bounded(self.field.begin(self.name), max(room, 1))]
        except TooMuch:
            return self._written(self.field.default)
        default, value = self.field.default, self.read_from(made(begun))
        if default is MISSING or value is MISSING or same(unwrapped(value), unwrapped(default)):
            return begun
        return self._written(default)

    def fill(self, value: Json | Missing, room: int = MOST_SHOWN) -> list[tuple[str, str]]:
        """The entries for a value, whatever it is. room: as above."""
        try:
            filled = [(f"{self.name}:way", ""), *bounded(self.field.fill(self.name, value), max(room, 1))]
        except TooMuch:
            return self._written(value)
        shown = same(unwrapped(self.read_from(made(filled))), unwrapped(value))
        return filled if shown else self._written(value)

    def _written(self, value: Json | Missing) -> list[tuple[str, str]]:
        return [(f"{self.name}:way", "json"), *RAW.fill(f"{self.name}:json", value)]

    def in_json(self, entries: Entries) -> bool:
        """Whether it is written in JSON."""
        return entries.get(f"{self.name}:way") == "json"

    def read(self, entries: Entries) -> tuple[Json | Missing, Found]:
        """The value, and what was found on the way."""
        found = Found()
        if self.in_json(entries):
            return RAW.read(At(entries, f"{self.name}:json", "", found)), found
        return self.field.read(At(entries, self.name, "", found)), found

    def read_from(self, entries: Entries) -> Json | Missing:
        """The value alone."""
        return self.read(entries)[0]


@dataclass(frozen=True)
class Reading:
    """What a form says. request: as the API takes it; errors: of fields, by name; found: of each input."""

    request: dict[str, Json]
    sync: bool
    errors: dict[str, str] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)

    @property
    def prefer(self) -> str | None:
        """The Prefer header."""
        return None if self.sync else "respond-async"

    def name_of(self, input_id: str | None, path: str = "") -> str:
        """The field that an error about an input is about."""
        found = self.found.get(input_id or "")
        return (found and (found.name_of(path) or found.name_of(""))) or inside(INPUTS, input_id or "")

    def place_of(self, name: str) -> int:
        """Where in the form the input stands that a field is of."""
        for place, input_id in enumerate(self.found):
            if is_in(name, inside(INPUTS, input_id)):
                return place
        return len(self.found)


@dataclass(frozen=True)
class Form:
    """The form of a process. outputs: their descriptions by id; modes: sync and async, as it may be executed."""

    inputs: tuple[Input, ...]
    outputs: Mapping[str, Any]
    modes: tuple[str, ...]
    transmits: bool

    def begin(self) -> Entries:
        """As it is before anything was filled in."""
        inputs = self._inputs(lambda each, room: each.begin(room))
        return made([*inputs, *self._outputs(None), (MORE, ""), (MODE, self.modes[0])])

    def fill(self, request: Mapping[str, Any], sync: bool = False) -> Entries:
        """As it is where it makes this request."""
        given = request.get("inputs") or {}
        filled = self._inputs(lambda each, room: each.fill(_or_missing(given.get(each.id)), room))
        rest = {name: value for name, value in request.items() if name not in ("inputs", "outputs")}
        unknown = {name: value for name, value in given.items() if name not in {each.id for each in self.inputs}}
        if unknown:
            rest["inputs"] = unknown
        chosen = self._outputs(request.get("outputs"))
        if not same(self._chosen(made(chosen)), _or_missing(request.get("outputs"))):
            chosen, rest = self._outputs(None), {**rest, "outputs": request["outputs"]}
        mode = "sync" if sync and "sync" in self.modes else self.modes[0]
        return made([*filled, *chosen, *RAW.fill(MORE, rest or MISSING), (MODE, mode)])

    def _inputs(self, entries_of: Callable[[Input, int], list[tuple[str, str]]]) -> list[tuple[str, str]]:
        """The entries of all inputs, each with the room that those before it have left."""
        filled: list[tuple[str, str]] = []
        for number, each in enumerate(self.inputs):  # each has an entry `:way` that is not shown
            filled += entries_of(each, MOST_SHOWN - len(filled) + number)
        return filled

    def check(self, entries: Entries) -> None:
        """Raise TooMuch for more fields, or rows of an array, than a form shows: no page of ours has posted it."""
        for count, (name, part) in enumerate(self.walk(entries)):
            many = isinstance(part, Rows) and len(part.keys(name, entries)) > MOST_ROWS
            if many or count > 2 * MOST_SHOWN + 2 * len(self.inputs):  # some have a field around them
                raise TooMuch

    def read(self, entries: Entries) -> Reading:
        """The request that it makes. Raises TooMuch."""
        self.check(entries)
        values: dict[str, Json] = {}
        founds: dict[str, Found] = {}
        errors: dict[str, str] = {}
        for each in self.inputs:
            value, founds[each.id] = each.read(entries)
            errors |= founds[each.id].errors
            if value is not MISSING:
                values[each.id] = value
        more = Found()
        rest = RAW.read(At(entries, MORE, "", more))
        if not isinstance(rest, dict | Missing):
            more.errors[MORE] = 'must be an object of further members, such as {"limits": {"timeLimit": 60}}.'
        further = rest if isinstance(rest, dict) else {}
        unshown = further.get("inputs")
        if not isinstance(unshown, dict | None):
            more.errors[MORE] = f'"inputs" must be an object of further inputs by their ids, not {shown(unshown)}.'
        request: dict[str, Json] = {"inputs": {**values, **(unshown if isinstance(unshown, dict) else {})}}
        if (chosen := self._chosen(entries)) is not MISSING:
            request["outputs"] = chosen
        request |= {name: value for name, value in further.items() if name != "inputs"}
        return Reading(request, entries.get(MODE, self.modes[0]) == "sync", errors | more.errors, founds)

    def walk(self, entries: Entries) -> Iterator[tuple[str, Field]]:
        """All fields of inputs that are shown now, by name."""
        for each in self.inputs:
            if not each.in_json(entries):
                yield from _walk(each.name, each.field, entries)

    def _outputs(self, wanted: Json) -> list[tuple[str, str]]:
        """The entries for the outputs of a request; None: all of them."""
        listed = dict.fromkeys(wanted) if isinstance(wanted, list) else wanted
        ids = [each for each in self.outputs if listed is None or each in listed]
        modes = listed if isinstance(listed, dict) else {}
        filled: list[tuple[str, str]] = [(f"{OUTPUTS}:shown", "1"), *((OUTPUTS, each) for each in ids)]
        for each in self.outputs:
            mode = (modes.get(each) or {}).get("transmissionMode") if isinstance(modes.get(each), dict) else None
            filled.append((inside(TRANSMISSION, each), mode if mode in MODES else ""))
        return filled

    def _chosen(self, entries: Entries) -> Json | Missing:
        """The member `outputs`; left out where it says no more than "all of them"."""
        if not entries.get(f"{OUTPUTS}:shown"):
            return MISSING
        ticked = entries.getlist(OUTPUTS)
        modes = {each: entries.get(inside(TRANSMISSION, each)) for each in self.outputs}
        chosen = {
            each: {"transmissionMode": modes[each]} if modes[each] in MODES else {}
            for each in self.outputs
            if each in ticked
        }
        everything = len(chosen) == len(self.outputs) and not any(chosen.values())
        return MISSING if everything else chosen


def form_of(description: Mapping[str, Any]) -> Form:
    """The form of a process. description: as it is published."""
    inputs: Mapping[str, Any] = description.get("inputs") or {}
    options = description.get("jobControlOptions") or ()
    modes = [mode for mode in ("async", "sync") if f"{mode}-execute" in options]
    return Form(
        inputs=tuple(Input(name, input_field(name, described)) for name, described in inputs.items()),
        outputs=description.get("outputs") or {},
        modes=tuple(modes or ["async"]),
        transmits=set(MODES) <= set(description.get("outputTransmission") or ()),
    )


def _walk(name: str, part: Field, entries: Entries) -> Iterator[tuple[str, Field]]:
    yield name, part
    for inner, each in part.parts(name, entries):
        yield from _walk(inner, each, entries)


def _or_missing(value: Json) -> Json | Missing:
    """null is as if it were not given."""
    return MISSING if value is None else value
