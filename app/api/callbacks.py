"""Callbacks: /jobs/{jobID}/callbacks, and what a receiver checks them with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, after_this_request, g, request

from geomill.app import links, pages
from geomill.app.addresses import TENANT
from geomill.app.callbacks import due
from geomill.app.callbacks.signing import Signing
from geomill.app.exchange.request import read
from geomill.app.guard import shown
from geomill.app.identity.callers import Unauthenticated
from geomill.app.operations import Answer, operation
from geomill.app.schemas import CallbackSecretSchema, CallbacksSchema, dump
from geomill.app.security import ForeignOrigin, own_origins
from geomill.app.server import current_app
from geomill.jobstore.callbacks import noted

bp = Blueprint("callbacks", __name__)

TEXT = (
    "The addresses are shown without what may be secret in them. A delivery that fails is tried again, each time after"
    " twice as long, until its receiver takes it or the setting callback_patience is over."
)
ABOUT = (
    "Your receivers check with it that a callback is from this server: it is what libraries for Standard Webhooks take."
    " Keep it where they are, and show it to nobody."
)


@bp.get("/jobs/<job_id>/callbacks")
@operation(
    "getCallbacks",
    {200: Answer("Who is told of the job, and what came of that.", CallbacksSchema)},
    problems=(404, 410, 503),
    page=pages.plain("Callbacks of job {job_id}", TEXT),
)
def show(job_id: str) -> Any:
    """Who is told of a job, what was told until now, and what came of each attempt."""
    store = current_app.jobs
    subscriber = read(store.request(job_id)).subscriber
    attempts = noted(store.folder(job_id))
    return dump(
        CallbacksSchema,
        {
            "id": job_id,
            "subscriber": {name: shown(uri) for name, uri in subscriber.items()},
            "pending": store.callbacks.root(job_id) is not None,
            "deliveries": _deliveries(attempts, subscriber),
            "links": [links.link(links.to("jobs.show", job_id=job_id), "up", "The status of the job")],
        },
    )


@bp.get("/callback-secret")
@operation(
    "getCallbackSecret",
    {200: Answer("The secret.", CallbackSecretSchema)},
    streams=True,
    page=pages.plain("Your secret for callbacks", ABOUT),
)
def secret() -> Any:
    """What the caller's receivers check the signatures of callbacks with; another caller has another."""
    if request.headers.get("Origin") not in (None, *own_origins(current_app.settings)):
        raise ForeignOrigin("A page of another site may not read this.")
    if current_app.identity.knows() and not g.caller.name:
        raise Unauthenticated("Who shows no token, or one that is not for here, has no secret of his own.")
    after_this_request(_keep_nowhere)
    told = Signing(current_app.settings.home).secret(request.environ[TENANT], g.caller.name)
    return dump(CallbackSecretSchema, {"secret": told})


def _keep_nowhere(response: Response) -> Response:
    response.cache_control.no_store = True
    return response


def _deliveries(attempts: list[dict[str, Any]], subscriber: Mapping[str, str]) -> list[dict[str, Any]]:
    """What was told, in order, with the attempts of each."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in attempts:
        if isinstance(each.get("id"), str) and isinstance(each.get("event"), str):
            found.setdefault(each["id"], []).append(each)
    return [
        {
            "id": delivery_id,
            "event": tries[0]["event"],
            "uri": shown(subscriber.get(due.URIS.get(tries[0]["event"], ""), "")),
            "outcome": tries[-1].get("outcome"),
            "attempts": [{name: each.get(name) for name in ("time", "outcome", "status", "message")} for each in tries],
        }
        for delivery_id, tries in found.items()
    ]
