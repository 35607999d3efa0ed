"""What is wrong with the HTML of a page: what the parser of the standard finds, and what it lets pass."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from xml.etree.ElementTree import Element

import html5lib
from html5lib.constants import E as SENTENCES

WITH_IDS = {  # attributes that name elements of the same page
    "for", "form", "list", "aria-controls", "aria-describedby", "aria-details", "aria-errormessage", "aria-flowto",
    "aria-labelledby", "aria-owns", "aria-activedescendant", "headers", "popovertarget",
}  # fmt: skip
GLOBAL = {
    "class", "id", "lang", "dir", "hidden", "title", "tabindex", "role", "translate", "inert", "spellcheck",
    "autocapitalize", "autofocus", "contenteditable", "draggable", "enterkeyhint", "inputmode", "slot", "popover",
}  # fmt: skip
FIELD = "name disabled form required autocomplete readonly"
OWN = {
    "html": "", "head": "", "title": "", "body": "", "base": "href", "meta": "charset name content http-equiv media",
    "link": "rel href type media sizes as crossorigin integrity hreflang", "style": "media",
    "script": "src type async defer nomodule integrity crossorigin", "noscript": "", "template": "",
    "header": "", "footer": "", "main": "", "nav": "", "section": "", "article": "", "aside": "", "search": "",
    "h1": "", "h2": "", "h3": "", "h4": "", "hgroup": "", "p": "", "div": "", "span": "", "pre": "", "hr": "",
    "blockquote": "cite", "figure": "", "figcaption": "", "ul": "", "ol": "start reversed type", "li": "value",
    "dl": "", "dt": "", "dd": "", "a": "href rel type target download hreflang", "em": "", "strong": "", "small": "",
    "code": "", "kbd": "", "samp": "", "var": "", "sub": "", "sup": "", "b": "", "i": "", "q": "cite", "mark": "",
    "abbr": "", "bdi": "", "bdo": "", "br": "", "wbr": "", "time": "datetime", "data": "value", "ins": "", "del": "",
    "img": "src alt width height loading decoding srcset sizes", "picture": "", "source": "src srcset type media",
    "canvas": "width height", "video": "src controls width height", "audio": "src controls", "iframe": "src sandbox",
    "table": "", "caption": "", "colgroup": "span", "col": "span", "thead": "", "tbody": "", "tfoot": "", "tr": "",
    "th": "scope colspan rowspan headers abbr", "td": "colspan rowspan headers",
    "form": "action method enctype novalidate autocomplete name target rel accept-charset",
    "fieldset": "disabled form name", "legend": "", "label": "for", "output": "for form name", "datalist": "",
    "button": "type name value disabled form formaction formmethod formnovalidate formenctype popovertarget",
    "input": f"{FIELD} type value checked min max step pattern placeholder size maxlength minlength multiple accept "
             "list dirname",
    "select": f"{FIELD} multiple size", "option": "value selected disabled label", "optgroup": "label disabled",
    "textarea": f"{FIELD} rows cols placeholder maxlength minlength wrap", "progress": "value max",
    "meter": "value min max low high optimum", "details": "open name", "summary": "", "dialog": "open",
}  # fmt: skip
INTERACTIVE = {"a", "button", "input", "select", "textarea", "label", "details", "summary", "iframe"}
FORBIDDEN_INSIDE = {"a": INTERACTIVE - {"label"}, "button": INTERACTIVE, "label": {"label"}, "form": {"form"}}
HTML, SVG = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/2000/svg}"


def mistakes(text: str) -> list[str]:
    """What does not validate in a page, a sentence each; empty for one that is right."""
    parser = html5lib.HTMLParser()
    root = parser.parse(text)
    found = [f"line {line}: {SENTENCES[code] % values}" for (line, _), code, values in parser.errors]
    found += [f"line {text[: each.start()].count(chr(10)) + 1}: {each[0]!r}" for each in _LEFT_OPEN.finditer(text)]
    return [*found, *_references(root), *_elements(root, ())]


_LEFT_OPEN = re.compile(r"\{\{|\{%|%\}|\bUndefined\b|<a[^>]*\shref=\"None\"")  # of a template


def _references(root: Element) -> Iterator[str]:
    ids = Counter(each.get("id") for each in root.iter() if each.get("id") is not None)
    for name, count in ids.items():
        if count > 1 or not name or re.search(r"\s", str(name)):
            yield f"id {name!r}: {count} times" if count > 1 else f"id {name!r} is none"
    for each in root.iter():
        for attribute in WITH_IDS & set(each.attrib):
            for name in (each.get(attribute) or "").split() or [""]:
                if name not in ids:
                    yield f"{_name(each)} {attribute}={name!r}: there is no such id"
        href = each.get("href") or ""
        if href.startswith("#") and len(href) > 1 and href[1:] not in ids:
            yield f"a href={href!r}: there is no such id"


def _elements(element: Element, above: tuple[str, ...]) -> Iterator[str]:
    name = _name(element)
    if not isinstance(element.tag, str) or element.tag.startswith(SVG):
        return  # a comment, a drawing
    known = OWN.get(name)
    if known is None:
        yield f"{name} is no element, or an old one"
    else:
        for attribute in set(element.attrib) - GLOBAL - set(known.split()):
            if not re.match("(data|aria)-", str(attribute)):
                yield f"{name} has no attribute {attribute}"
    for outer in above:
        if name in FORBIDDEN_INSIDE.get(outer, ()) and element.get("type") != "hidden":
            yield f"{name} inside {outer}"
    yield from _content(element, name)
    for each in element:
        yield from _elements(each, (*above, name))


def _content(element: Element, name: str) -> Iterator[str]:
    """What an element must have, and what may be right in it."""
    children = {_name(each) for each in element if isinstance(each.tag, str)}
    if name in ("ul", "ol") and children - {"li", "template", "script"}:
        yield f"{name} holds {children - {'li'}}"
    if name == "dl" and children - {"dt", "dd", "div", "template", "script"}:
        yield f"dl holds {children - {'dt', 'dd'}}"
    if name == "dl" and "dt" in children and [_name(each) for each in element][-1:] == ["dt"]:
        yield "dl ends with a dt"
    if name in ("h1", "h2", "h3", "h4", "title", "a", "button", "th") and not _says(element):
        yield f"{name} is empty: {dict(element.attrib)}"
    if name == "img" and element.get("alt") is None:
        yield f"img without alt: {element.get('src')}"
    if name == "time" and not re.match(r"\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$", element.get("datetime") or ""):
        yield f"time {element.get('datetime')!r}"
    if name == "progress" and not 0 <= float(element.get("value") or 0) <= float(element.get("max") or 1):
        yield f"progress {element.get('value')} of {element.get('max')}"


def _says(element: Element) -> bool:
    named = any(element.get(attribute) for attribute in ("aria-label", "aria-labelledby", "title", "label", "hidden"))
    return named or bool("".join(element.itertext()).strip()) or any(each.get("alt") for each in element.iter())


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
