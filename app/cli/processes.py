"""geomill processes: list, describe, deploy and execute them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from geomill.app.cli import inputs, lines, options
from geomill.client import InputError, JobFailed, show
from geomill.client.ending import successful
from geomill.client.outputs import Output, Outputs, document, flat, save_all
from geomill.client.progress import follow
from geomill.client.sending import sender
from geomill.client.service import Address, Service

INPUT_HELP = 'An input; NAME=@PATH sends a file, NAME=\'{"href": "URL"}\' lets the server fetch it.'


@click.group()
def processes() -> None:
    """List, describe, deploy and execute processes."""


@processes.command("ls")
@options.service
@options.as_json
def ls(service: Service, as_json: bool) -> None:
    """List the processes."""
    found = list(service.processes())
    if as_json:
        click.echo(show.pretty(found))
    elif found:
        click.echo(show.table([process.get(name) for name in ("id", "version", "title")] for process in found))
    for sentence in service.broken():
        click.echo(show.clean(sentence), err=True)


@processes.command("describe")
@click.argument("process_id", metavar="ID")
@options.service
@options.as_json
def describe(service: Service, process_id: str, as_json: bool) -> None:
    """Show what a process takes and gives."""
    description = service.describe(process_id)
    click.echo(show.pretty(description) if as_json else show.process(description))


@processes.command("deploy")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--w", "entry", metavar="ID", help="The process of a document that has several, or a name for one.")
@options.service
def deploy(service: Service, file: Path, entry: str | None) -> None:
    """Deploy a CWL document, or an OGC application package in JSON: FILE."""
    click.echo(show.clean(service.deploy(file.read_bytes(), package_type(file), entry)))


@processes.command("undeploy")
@click.argument("process_id", metavar="ID")
@options.service
def undeploy(service: Service, process_id: str) -> None:
    """Take a deployed process away; its jobs stay."""
    service.undeploy(process_id)


@processes.command("execute")
@click.argument("process_id", metavar="ID")
@click.option("-i", "--input", "given", multiple=True, metavar="NAME=VALUE", help=INPUT_HELP)
@click.option(
    "--request",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The execute request in FILE; -i goes before its inputs.",
)
@click.option("--sync", is_flag=True, help="Let the server wait for the results.")
@options.output
@options.service
@options.as_json
def execute(
    service: Service,
    process_id: str,
    given: tuple[str, ...],
    path: Path | None,
    sync: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Run a process as a job, follow it and print its results."""
    try:
        request = inputs.request(path) if path else {}
        values = {**request.get("inputs", {}), **inputs.parse(given, service.describe(process_id), sender(service))}
    except InputError as error:
        raise click.UsageError(str(error)) from error
    job, found = service.execute(process_id, {**request, "inputs": values, "response": "document"}, wait=sync)
    if found is None:
        assert job
        click.echo(show.clean(f"Job {job.job_id}"), err=True)
        found = _wait(service, job)
    deliver(service, found, output, as_json)


def package_type(file: Path) -> str:
    """What a file to deploy is: CWL in YAML or JSON, or an application package around it."""
    try:
        content = json.loads(file.read_bytes())
    except ValueError:
        return "application/cwl+yaml"
    packed = isinstance(content, dict) and "executionUnit" in content
    return "application/ogcapppkg+json" if packed else "application/cwl+json"


def deliver(service: Service, given: Outputs, folder: Path | None, as_json: bool) -> None:
    """Save results to a folder if one is given, and print them."""
    found = flat(given)
    if folder is not None:
        saved = save_all(found, folder, lambda url: service.fetch(url).chunks)
        found = [
            Output(each.name, path=path.absolute(), media_type=each.media_type)
            for each, path in zip(found, saved, strict=True)
        ]
    if as_json:
        click.echo(show.pretty(document(found)))
    elif found:
        longest = lines.SHORT if sys.stdout.isatty() else None
        click.echo(show.table([each.name, lines.line(each, longest)] for each in found))


def _wait(service: Service, job: Address) -> Outputs:
    try:
        successful(service, job, follow(service, job))
    except KeyboardInterrupt:
        name = job.job_id if service.job(job.job_id) == job else job.url
        click.echo(f"\nThe job goes on. To stop it: geomill jobs dismiss {show.clean(name)}", err=True)
        raise click.exceptions.Exit(130) from None
    except JobFailed as error:
        for text in error.log:
            click.echo(f"  {text}", err=True)
        raise
    return service.results(job)
