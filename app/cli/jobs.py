"""geomill jobs: look at them, get their results, retry, stop and remove them."""

from __future__ import annotations

import codecs
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from geomill.app.cli import options
from geomill.app.cli.processes import deliver
from geomill.app.config import Settings
from geomill.app.identity.audit import local
from geomill.client import ServiceError, show
from geomill.client.progress import follow
from geomill.client.reply import Json
from geomill.client.service import Address, Service
from geomill.client.states import is_over

STATES = ("accepted", "running", "successful", "failed", "dismissed")
TIMES = ("created", "started", "finished", "updated", "expires", "expired")
MEMBERS = ("jobID", "processID", "owner", "status", "progress", "message", "cause", *TIMES, "pinned")
LOG_SECONDS = 0.5  # between two looks at a log that is followed

job_argument = click.argument("job_name", metavar="JOB")
job_arguments = click.argument("job_names", metavar="JOB...", nargs=-1, required=True)


@click.group()
def jobs() -> None:
    """List jobs, get their results, retry, stop and remove them. JOB is an id or a URL."""


@jobs.command("ls")
@click.option("--status", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--process", "process_id", metavar="ID", help="Only jobs of this process.")
@click.option("--owner", metavar="NAME", help="Only jobs of this caller; '' for those of nobody in particular.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@options.service
@options.as_json
def ls(service: Service, process_id: str | None, limit: int, as_json: bool, **wanted: str | None) -> None:
    """List jobs, newest first."""
    found = list(service.jobs(limit, processID=process_id, **wanted))
    if as_json:
        click.echo(show.pretty(found))
    elif found:
        click.echo(show.table(show.job_rows(found)))


@jobs.command("show")
@job_argument
@options.service
@options.as_json
def show_job(service: Service, job_name: str, as_json: bool) -> None:
    """Show the status of a job."""
    status = service.status(service.job(job_name))
    if as_json:
        click.echo(show.pretty(status))
        return
    times = {name: show.moment(status[name]) for name in TIMES if status.get(name)}
    values = {"jobID": status.get("id"), **status, **times}
    click.echo(show.table([name, values[name]] for name in MEMBERS if values.get(name) is not None))


@jobs.command("logs")
@job_argument
@click.argument("step", required=False)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the job ends; not for a step.")
@options.service
def logs(service: Service, job_name: str, step: str | None, following: bool) -> None:
    """Print what a job has printed, or one STEP of it."""
    job, write = service.job(job_name), _to_output()
    if step is not None:
        for piece in service.step_log(job, step):
            write(piece)
        return
    printed = 0
    while True:
        over = is_over(service.status(job))  # before the log: what is printed last is not missed
        new = service.log(job, printed)
        printed += len(new)
        write(new)
        if over or not following:
            return
        time.sleep(LOG_SECONDS)


@jobs.command("results")
@job_argument
@options.output
@options.service
@options.as_json
def results(service: Service, job_name: str, output: Path | None, as_json: bool) -> None:
    """Print or save the results of a job."""
    deliver(service, service.results(service.job(job_name)), output, as_json)


@jobs.command("retry")
@job_argument
@options.service
def retry(service: Service, job_name: str) -> None:
    """Repeat a job that has ended; steps that it had finished are not run again."""
    click.echo(show.clean(service.retry(service.job(job_name)).job_id))


@jobs.command("dismiss")
@job_arguments
@options.service
def dismiss(service: Service, job_names: tuple[str, ...]) -> None:
    """Stop jobs that have not ended; they stay in the list."""

    def stop(job: Address) -> str:
        ended = service.dismiss(job)
        return str(ended.get("status") if is_over(ended) else follow(service, job).get("status"))

    _each(service, job_names, stop)


@jobs.command("remove")
@job_arguments
@options.service
def remove(service: Service, job_names: tuple[str, ...]) -> None:
    """Delete jobs that have ended, with their results."""

    def delete(job: Address) -> str:
        service.remove(job)
        return "removed"

    _each(service, job_names, delete)


@jobs.command("pin")
@job_arguments
@options.service
def pin(service: Service, job_names: tuple[str, ...]) -> None:
    """Keep jobs: they do not expire."""
    _each(service, job_names, lambda job: _kept(service.pin(job, True)))


@jobs.command("unpin")
@job_arguments
@options.service
def unpin(service: Service, job_names: tuple[str, ...]) -> None:
    """Let jobs expire when it is time."""
    _each(service, job_names, lambda job: _kept(service.pin(job, False)))


def _kept(status: Json) -> str:
    if status.get("pinned"):
        return "pinned"
    return f"expires {show.moment(status['expires'])}" if status.get("expires") else "not pinned"


@jobs.command("gc")
@click.option("--dry-run", is_flag=True, help="Remove nothing; tell what would go.")
@options.home
@options.as_json
def gc(dry_run: bool, as_json: bool, **given: Any) -> None:
    """Remove now what is due to go: by age, for a full disk, and what nothing needs any more; on this host alone."""
    options.need_linux()
    from geomill.app import retention, tenant_names
    from geomill.app.engine.client import open_store

    settings = Settings.load(overrides=given)
    if not settings.home.exists():
        raise click.ClickException(f"{settings.home}: there is no home")
    store = open_store(settings)
    stores = [store.of(name) for name in tenant_names.at_work(settings.home)]
    click.echo(f"By {', '.join(retention.rules_in_words(settings).values())}", err=True)
    found = []
    try:
        gone = retention.collect(stores, settings, dry_run=dry_run)
        for each in gone if dry_run else retention.audited(gone, settings, **local()):
            found.append(each)
            if not as_json:
                of_tenant = f"  of {each.tenant}" if each.tenant else ""
                click.echo(f"{each.what} {show.clean(each.name)}{of_tenant}  {show.size(each.size)}  {each.why}")
    except TimeoutError:
        raise click.ClickException("the server is at it already; look again in a minute") from None
    if as_json:
        click.echo(show.pretty([vars(each) for each in found]))
    else:
        jobs = sum(each.what == "job" for each in found)
        total = show.size(sum(each.size for each in found))
        would = "would go" if dry_run else "went"
        click.echo(f"{jobs} jobs and {len(found) - jobs} statuses, uploads, packages and images {would}: {total}")


def _to_output() -> Callable[[bytes], None]:
    """Writes what a job printed, byte for byte; to a terminal only what cannot steer it."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def write(content: bytes) -> None:
        if sys.stdout.isatty():
            sys.stdout.write(show.printed(decoder.decode(content)))
        else:
            sys.stdout.buffer.write(content)
        sys.stdout.flush()

    return write


def _each(service: Service, job_names: tuple[str, ...], act: Callable[[Address], str]) -> None:
    """Do it for each job and say what came of it; one that fails is no reason to leave the others."""
    failed = False
    for job in map(service.job, job_names):
        try:
            click.echo(show.clean(f"{job.job_id} {act(job)}"))
        except ServiceError as error:
            failed = True
            click.echo(f"Error: {show.clean(error)}", err=True)
    if failed:
        raise click.exceptions.Exit(1)
