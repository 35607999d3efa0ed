"""What the buttons of a form do: a row more or less, another shape, JSON instead of fields. Nothing else changes."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable

from geomill.app.pages.form.compound import Group, Pairs, Rows, Variants
from geomill.app.pages.form.entries import MISSING, MOST_ROWS, Entries, TooMuch, bounded, inside, is_in, made
from geomill.app.pages.form.fields import Field
from geomill.app.pages.form.form import RAW, Form, Input
from geomill.app.pages.form.special import File


def edited(form: Form, entries: Entries, said: str) -> tuple[Entries, str | None, dict[str, str]]:
    """The form after a button was pressed, the name of what to look at then, and why it could not be done, by name.

    Nothing happens to what is unknown. Raises TooMuch for a form that was too large before.
    """
    verb, _, rest = said.partition(" ")  # `add inputs/bands`, `remove inputs/bands 0`, `json inputs/item`
    name, _, key = rest.partition(" ")
    form.check(entries)
    try:
        return _edited(form, entries, verb, name, key)
    except TooMuch as error:
        where = f"{name}:json" if verb == "fields" else name
        return entries, where, {where: str(error)}


def _edited(form: Form, entries: Entries, verb: str, name: str, key: str) -> tuple[Entries, str | None, dict[str, str]]:
    """As above. Raises TooMuch."""
    for each in form.inputs:
        if each.name == name and verb in ("json", "fields"):
            changed, errors = _switched(each, entries, verb)
            return completed(form, changed), f"{name}:json" if each.in_json(changed) else name, errors
    part = dict(form.walk(entries)).get(name)
    act = next((act for (kind, each), act in _ACTS.items() if each == verb and isinstance(part, kind)), None)
    if part is None or act is None:
        return completed(form, entries), None, {}
    changed, focus = act(part, entries, name, key)
    return completed(form, changed), focus, {}


def completed(form: Form, entries: Entries) -> Entries:
    """A form in which every field that is shown has what it begins with, if it has nothing yet. Raises TooMuch."""
    changed, known = entries.copy(), sorted(entries)
    form.check(changed)
    for name, part in form.walk(changed):  # what is added is walked, too
        if name not in changed and not any(_begins(known, f"{name}{mark}") for mark in "/:"):
            for key, text in bounded(part.begin(name)):
                changed.add(key, text)
                insort(known, key)
            form.check(changed)
    return changed


def _begins(known: list[str], start: str) -> bool:
    """Whether one of the texts begins so. known: in order."""
    place = bisect_left(known, start)
    return place < len(known) and known[place].startswith(start)


Act = Callable[[Field, Entries, str, str], tuple[Entries, str | None]]


def _add(part: Field, entries: Entries, name: str, key: str) -> tuple[Entries, str | None]:
    """One more row, below the others."""
    if not isinstance(part, Rows):
        return entries, None
    known = part.keys(name, entries)
    if part.most is not None and len(known) >= part.most:
        return entries, f"{name}:add"
    if len(known) >= MOST_ROWS:
        raise TooMuch
    new = str(max(map(int, known), default=-1) + 1)
    focus = inside(name, new) + (":name" if isinstance(part, Pairs) else "")
    return made([*entries.items(multi=True), *bounded(part.added(name, new))]), focus


def _remove(part: Field, entries: Entries, name: str, key: str) -> tuple[Entries, str | None]:
    """A row less."""
    kept = [(n, text) for n, text in _without(entries, inside(name, key)) if (n, text) != (f"{name}:row", key)]
    return made(kept), f"{name}:add"


def _give(part: Field, entries: Entries, name: str, key: str) -> tuple[Entries, str | None]:
    """An object that need not be there."""
    added = bounded(part.added(name)) if isinstance(part, Group) else []
    return made([*_without(entries, name), *added]), name


def _drop(part: Field, entries: Entries, name: str, key: str) -> tuple[Entries, str | None]:
    """An object less, or the file that is in the request."""
    focus = f"{name}:give" if isinstance(part, Group) else f"{name}:href"
    return made([*_without(entries, name), *part.fill(name, MISSING)]), focus


_ACTS: dict[tuple[type, str], Act] = {
    (Rows, "add"): _add,
    (Rows, "remove"): _remove,
    (Group, "give"): _give,
    (Group, "drop"): _drop,
    (File, "drop"): _drop,
    (Variants, "add"): lambda part, entries, name, key: (entries, name),
}


def _switched(each: Input, entries: Entries, verb: str) -> tuple[Entries, dict[str, str]]:
    """An input in JSON instead of fields, or the other way round, with the same value."""
    value, found = each.read(entries)
    if found.errors:
        return entries, found.errors
    others = _without(entries, each.name)
    if verb == "json":
        return made([*others, (f"{each.name}:way", "json"), *RAW.fill(f"{each.name}:json", value)]), {}
    changed = made([*others, *(each.begin() if value is MISSING else each.fill(value))])
    kept = {f"{each.name}:json": "is nothing that the fields can show."} if each.in_json(changed) else {}
    return changed, kept


def _without(entries: Entries, name: str) -> list[tuple[str, str]]:
    """The entries but those of a field and what is in it."""
    return [(each, text) for each, text in entries.items(multi=True) if not is_in(each, name)]
