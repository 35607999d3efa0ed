"""Links: absolute, each with rel, type and title, in the relations of the standard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlencode

from flask import current_app, g, request, url_for

from geomill.app.addresses import PREFIX, TENANT
from geomill.app.asked import asked
from geomill.app.negotiation import ANY, HTML, JSON, OPENAPI, TEXT, ZIP
from geomill.app.tenant_names import DEFAULT
from geomill.jobstore import Status, StatusInfo
from geomill.processes.registry import Process

if TYPE_CHECKING:
    from geomill.app.server import Geomill

OGC = "http://www.opengis.net/def/rel/ogc/1.0/"
HAS_PROVENANCE = "http://www.w3.org/ns/prov#has_provenance"
PROFILE = "https://www.opengis.net/def/profile/OGC/0/"

Link = dict[str, str]
_NAMES = ("wsgi.url_scheme", "HTTP_HOST", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PORT")  # of a server, in the environ


def to(endpoint: str, **values: str | int | None) -> str:
    """The absolute address of a view. Most documents have a dozen of them, so each part is made once."""
    return root() + cast("Geomill", current_app).path_of(endpoint, tuple(values.items()))


def root() -> str:
    """The absolute address of the landing page, as whoever asks knows it, without the slash at its end."""
    known = g.get("root")
    if known is None:
        known = g.root = _root(*map(asked().environ.get, _NAMES))
    return str(known)


@lru_cache(maxsize=256)
def _root(*named: str | None) -> str:
    """named: all that it follows from, in this request as in others."""
    return url_for("landing.show", _external=True).removesuffix("/")


def in_tenant(name: str, path: str) -> str:
    """The absolute address of a path in any tenant. name: of the tenant; path: as below /."""
    ours, now = root(), request.environ[TENANT]
    if name == now:
        return ours + path
    server = ours.removesuffix(PREFIX)
    server = server.removesuffix(f"/{now}") if server != ours else ours
    return server + (path if name == DEFAULT else f"/{name}{PREFIX}{path}")


def here() -> str:
    """The path and query that this request was for, as a browser calls them."""
    query = quote(request.query_string, safe="=&%+:/?,;@!$'()*~")
    return quote(f"{request.root_path}{request.path}") + (f"?{query}" if query else "")


def link(href: str, rel: str, title: str, media_type: str = JSON) -> Link:
    """One link. link.yaml"""
    return {"href": href, "rel": rel, "type": media_type, "title": title}


def of_landing() -> list[Link]:
    """Where everything is. /req/core/landingpage-success"""
    return [
        link(to("landing.show"), "self", "This document"),
        link(to("landing.show", f="html"), "alternate", "Start", HTML),
        link(to("definition.show"), "service-desc", "API definition", OPENAPI),
        link(to("definition.show", f="html"), "service-doc", "API, with forms to try it", HTML),
        link(to("conformance.show"), OGC + "conformance", "The conformance classes met"),
        link(to("processes.index"), OGC + "processes", "The processes"),
        link(to("jobs.index"), OGC + "job-list", "The jobs"),
        link(to("uploads.create"), "uploads", "Where files are sent that are to be inputs"),
    ]


def of_process(process: Process) -> list[Link]:
    """A process and where it is executed. /req/core/process-summary-links"""
    links = [
        link(to("processes.show", process_id=process.id), "self", "The description of the process"),
        link(to("execution.execute", process_id=process.id), OGC + "execute", "Where the process is executed"),
        link(PROFILE + "ogc-process-description", "profile", "What this description follows", HTML),
        link(to("processes.index"), "up", "The processes"),
    ]
    if process.mutable:
        package = link(to("deployment.package", process_id=process.id), "describedby", "The package as deployed")
        versions = link(to("deployment.versions", process_id=process.id), "version-history", "What it was and is")
        links += [{**package, "type": ANY}, versions]
    return links


def of_job(status: StatusInfo) -> list[Link]:
    """A job and what there is to see of it; results only once they exist. /rec/core/job-links"""
    job_id = status.job_id
    here = to("jobs.show", job_id=job_id)
    links = [link(here, "self", "The status of the job"), link(here, "monitor", "The status of the job")]
    if status.expired:
        return [*links, up_to_jobs()]
    if status.status is Status.SUCCESSFUL:
        links.append(link(to("results.show", job_id=job_id), OGC + "results", "The results of the job"))
    if status.status is Status.FAILED:
        links.append(link(to("results.show", job_id=job_id), OGC + "exceptions", "Why the job failed"))
    links.append(link(to("logs.show", job_id=job_id), OGC + "log", "What the job printed", TEXT))
    links.append(link(to("provenance.inputs", job_id=job_id), OGC + "inputs", "What the job was asked for"))
    links.append(link(to("provenance.show", job_id=job_id), HAS_PROVENANCE, "Where the results come from"))
    if status.status.final:
        crate = to("provenance.download", job_id=job_id)
        links.append(link(crate, "alternate", "All of the job, to keep and to run again", ZIP))
    if status.retry_of is not None:
        retried = to("jobs.show", job_id=status.retry_of)
        links.append(link(retried, "predecessor-version", "The job that this one retries"))
    return [*links, up_to_jobs()]


def of_logs(job_id: str) -> Callable[[str], str]:
    """What gives the address of the log of a step, by its name; a job may have thousands, and `to` takes its time."""
    folder = to("steps.log", job_id=job_id, name="")
    return lambda name: folder + quote(name, safe="!$&'()*+,:;=@")


def up_to_jobs() -> Link:
    """From a job to the list of jobs."""
    return link(to("jobs.index"), "up", "The jobs")


def of_page(endpoint: str, following: dict[str, Any] | None) -> list[Link]:
    """Links of one page of a list: itself and, where there is more, the next one.

    following: the query parameters that the next page changes, None on the last page.
    """
    query = request.args.to_dict(flat=False)
    links = [link(of_query(to(endpoint), query), "self", "This page")]
    if following is not None:
        links.append(link(of_query(to(endpoint), {**query, **following}), "next", "The next page"))
    return links


def of_query(address: str, parameters: Mapping[str, Any]) -> str:
    """An address with these query parameters. parameters: a value, or several, by name."""
    query = urlencode(parameters, doseq=True)
    return address + (f"?{query}" if query else "")
