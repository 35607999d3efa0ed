"""geomill jobs: look at them, get their results, retry, stop and remove them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from geomill.app.cli import options, show
from geomill.app.cli.processes import deliver
from geomill.app.cli.progress import follow
from geomill.app.cli.service import Job, Service, ServiceError, is_over

STATES = ("accepted", "running", "successful", "failed", "dismissed")
MEMBERS = ("jobID", "processID", "status", "progress", "message", "created", "started", "finished", "updated")
LOG_SECONDS = 0.5  # between two looks at a log that is followed

job_argument = click.argument("job_name", metavar="JOB")
job_arguments = click.argument("job_names", metavar="JOB...", nargs=-1, required=True)


@click.group()
def jobs() -> None:
    """List jobs, get their results, retry, stop and remove them. JOB is an id or a URL."""


@jobs.command("ls")
@click.option("--status", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--process", "process_id", metavar="ID", help="Only jobs of this process.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@options.service
@options.as_json
def ls(service: Service, status: str | None, process_id: str | None, limit: int, as_json: bool) -> None:
    """List jobs, newest first."""
    found = list(service.jobs(limit, status, process_id))
    if as_json:
        click.echo(show.pretty(found))
    elif found:
        click.echo(show.table(show.job_row(job) for job in found))


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
    times = {name: show.moment(status[name]) for name in MEMBERS[5:] if status.get(name)}
    values = {"jobID": status.get("id"), **status, **times}
    click.echo(show.table([name, values[name]] for name in MEMBERS if values.get(name) is not None))


@jobs.command("logs")
@job_argument
@click.argument("step", required=False)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the job ends; not for a step.")
@options.service
def logs(service: Service, job_name: str, step: str | None, following: bool) -> None:
    """Print what a job has printed, or one STEP of it."""
    job = service.job(job_name)
    if step is not None:
        for piece in service.step_log(job, step):
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()
        return
    printed = 0
    while True:
        over = is_over(service.status(job))  # before the log: what is printed last is not missed
        new = service.log(job, printed)
        printed += len(new)
        sys.stdout.buffer.write(new)
        sys.stdout.flush()
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
    click.echo(service.retry(service.job(job_name)).job_id)


@jobs.command("dismiss")
@job_arguments
@options.service
def dismiss(service: Service, job_names: tuple[str, ...]) -> None:
    """Stop jobs that have not ended; they stay in the list."""

    def stop(job: Job) -> str:
        ended = service.dismiss(job)
        return str(ended.get("status") if is_over(ended) else follow(service, job).get("status"))

    _each(service, job_names, stop)


@jobs.command("remove")
@job_arguments
@options.service
def remove(service: Service, job_names: tuple[str, ...]) -> None:
    """Delete jobs that have ended, with their results."""

    def delete(job: Job) -> str:
        service.remove(job)
        return "removed"

    _each(service, job_names, delete)


def _each(service: Service, job_names: tuple[str, ...], act: Callable[[Job], str]) -> None:
    """Do it for each job and say what came of it; one that fails is no reason to leave the others."""
    failed = False
    for job in map(service.job, job_names):
        try:
            click.echo(f"{job.job_id} {show.clean(act(job))}")
        except ServiceError as error:
            failed = True
            click.echo(f"Error: {show.clean(error)}", err=True)
    if failed:
        raise click.exceptions.Exit(1)
