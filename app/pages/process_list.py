"""The list of processes: which there are, found by their words."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import Response, request

from geomill.app import links, pages
from geomill.app.pages import runs
from geomill.app.server import current_app

MOST_KEYWORDS = 16


def page(document: dict[str, Any]) -> Response:
    """The processes of one page, with what they can be searched by."""
    words = Counter(word for each in document["processes"] for word in each.get("keywords") or ())
    kept = request.args.getlist("keyword")
    return pages.render(
        "processes.html",
        document=document,
        q=request.args.get("q", ""),
        kept=kept,
        keywords=[word for word, _ in words.most_common(MOST_KEYWORDS) if word not in kept],
        address=_address,
        last=runs.last(),
        unknown=sum(each.again for each in current_app.processes.broken()),
        has=current_app.view_functions,
    )


def _address(**changed: Any) -> str:
    """This list with other query parameters, from its start."""
    asked = {name: values for name, values in request.args.to_dict(flat=False).items() if name != "offset"}
    return links.of_query(links.to("processes.index"), {**asked, **changed})
