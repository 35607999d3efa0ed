"""For load balancers and monitors, at the root address alone: /healthz, /readyz, /metrics."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from geomill.app.addresses import TENANT
from geomill.app.identity.callers import Unauthenticated
from geomill.app.identity.roles import WATCH
from geomill.app.metrics import families
from geomill.app.negotiation import ANY, JSON, accepted, best
from geomill.app.operations import Answer, operation
from geomill.app.schemas import HealthSchema, ReadinessSchema, dump
from geomill.app.server import current_app
from geomill.app.tenant_names import DEFAULT

bp = Blueprint("health", __name__)
READY = Answer("A job would be accepted and started.", ReadinessSchema, (JSON,))
NOT_READY = Answer("It would not: checks that did not pass say why.", ReadinessSchema, (JSON,))
ALIVE = Answer("This worker answers.", HealthSchema, (JSON,))
METRICS = Answer("In the text format of Prometheus, or OpenMetrics.", media_types=tuple(families.FORMATS))


@bp.get("/healthz")
@operation("getHealth", {200: ALIVE}, problems=(404,), offers=(ANY,), streams=True)
def alive() -> Response:
    """Whether this worker lives: nothing else is looked at."""
    _be_at_root()
    return _now(dump(HealthSchema, {"status": "alive"}))


@bp.get("/readyz")
@operation("getReadiness", {200: READY, 503: NOT_READY}, problems=(404,), offers=(ANY,), streams=True)
def ready() -> Response:
    """Whether jobs would be accepted and started; what stands against it, by name."""
    _be_at_root()
    found = current_app.readiness.checks()
    told = _may_watch()
    checks = [
        {"name": name, "passed": not trouble, "trouble": trouble if trouble and told else None}
        for name, trouble in found.items()
    ]
    is_ready = not any(found.values())
    answer = _now(dump(ReadinessSchema, {"status": "ready" if is_ready else "not ready", "checks": checks}))
    answer.status_code = 200 if is_ready else 503
    return answer


@bp.get("/metrics")
@operation("getMetrics", {200: METRICS}, problems=(404,), offers=(ANY,), streams=True)
def metrics() -> Response:
    """What the server counts and measures, the same from every worker."""
    _be_at_root()
    name = best(accepted(request), tuple(families.FORMATS)) or next(iter(families.FORMATS))
    written = families.FORMATS[name]
    answer = _now(written.write(families.Families(current_app)))
    answer.headers["Content-Type"] = written.content_type
    answer.vary.add("Accept")
    return answer


def _may_watch() -> bool:
    """Whether the caller may read the metrics; everybody else is answered, too."""
    with suppress(Unauthenticated):
        return current_app.identity.caller().may(WATCH)
    return False


def _be_at_root() -> None:
    """What is told here is of the server, and not of a tenant."""
    if request.environ[TENANT] != DEFAULT:
        raise NotFound(f"{request.path} is of the server, and at its root address alone.")


def _now(content: Any) -> Response:
    """What is so at this moment: nobody keeps it."""
    answer = current_app.make_response(content)
    answer.cache_control.no_store = True
    return answer
