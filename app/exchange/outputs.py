"""From the results of a job to an answer: which form, by value or by reference, inline or as links.

Sources: OGC 18-062r2, 7.11.2.4 (raw, document) for a request that says `response` or `transmissionMode`;
the 2.0 draft, /req/core/process-execute-sync-one and -many, for any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from geomill.jobstore import NoSuchOutput, Result, ResultNotAvailable

from . import NotAcceptable, multipart, nested
from .accept import Accept
from .media_types import essence
from .nested import At
from .prefer import Preference
from .representations import JSON, Answer, bare, dumps, encoded, inlined, own_type, qualified, representations
from .request import ExecuteRequest, OutputRequest
from .wording import meant

Json = Any
Link = Callable[[str, int | None], str]
Read = Callable[[Result], bytes]

__all__ = ["RESULTS_PROFILE", "Answer", "answer", "narrow", "pick", "single"]

MULTIPART = "multipart/related"
RESULTS_PROFILE = "https://www.opengis.net/def/profile/OGC/0/ogc-results"
PROFILE_LINK = ("Link", f'<{RESULTS_PROFILE}>; rel="profile"')
SMALL = 2**20  # bytes of JSON that a document holds unasked
MAX_INLINE = 64 * 2**20  # bytes of files, all outputs together, that an answer holds when asked; else they are links


def answer(
    results: Mapping[str, Result],
    request: ExecuteRequest,
    preference: Preference,
    accept: Accept,
    *,
    described: Sequence[str],
    sync: bool,
    link: Link,
    at: At,
    read: Read,
    profile: bool = False,
) -> Answer:
    """The answer to an execution (sync) or to GET .../results.

    described: ids of the process's outputs; link: absolute address of an output, or of its n-th value;
    at: that of a published file; read: the bytes of an output that is a file;
    profile: the ogc-results profile was asked for in the query.
    Raises ResultNotAvailable, NotAcceptable.
    """
    if request.wants_nothing:
        if sync:
            return Answer(204)
        raise ResultNotAvailable("The request asked for no outputs.")
    wanted = _wanted(request, described)
    produced = {output_id: results[output_id] for output_id in wanted if _is_there(results.get(output_id))}
    if len(wanted) == 1 and not produced:
        raise ResultNotAvailable(f'The process produced no output "{wanted[0]}".')
    reply = _Reply(produced, request, preference, link, at, read).settled()
    if request.style_1_0:
        raw = request.response != "document" and wanted
        return reply.raw(alone=len(wanted) == 1) if raw else reply.document()
    if sync and len(wanted) == 1 and not (profile or accept.profile(RESULTS_PROFILE)):
        return reply.bare(accept)
    return reply.negotiated(accept)


def single(
    results: Mapping[str, Result],
    request: ExecuteRequest,
    accept: Accept,
    output_id: str,
    index: int | None = None,
    *,
    described: Sequence[str],
    link: Link,
    at: At,
    read: Read,
) -> Answer:
    """The answer to GET .../results/{output_id} and .../{index}: the bare value.

    Raises NotAcceptable, and what `pick` raises.
    """
    result = nested.settled(pick(results, request, described, output_id, index), at, None)
    if result.items is not None:
        reply = _Reply({output_id: result}, request, Preference(), link, at, read)
        return encoded([(JSON, dumps(reply.entry(output_id, result, "auto")))], accept)
    return bare(result, accept)


def pick(
    results: Mapping[str, Result],
    request: ExecuteRequest,
    described: Sequence[str],
    output_id: str,
    index: int | None = None,
) -> Result:
    """One output, or the index-th value of one that has several.

    Raises NoSuchOutput for an id that the process does not have, ResultNotAvailable for what was not requested,
    not produced, or lies behind the last value.
    """
    if output_id not in described:
        raise NoSuchOutput(f'The process has no output "{output_id}".{meant(output_id, described)}')
    if request.wants_nothing or output_id not in _wanted(request, described):
        raise ResultNotAvailable(f'The output "{output_id}" was not requested.')
    result = results.get(output_id)
    if result is None or not _is_there(result):
        raise ResultNotAvailable(f'The process produced no output "{output_id}".')
    if index is None:
        return result
    values: Sequence[Result] = result.items if result.items is not None else [result]
    if isinstance(result.value, list):
        values = [Result(value=value) for value in result.value]
    if not 0 <= index < len(values):
        raise ResultNotAvailable(f'The output "{output_id}" has {len(values)} values, counted from 0.')
    return values[index]


def narrow(request: ExecuteRequest, described: Sequence[str], output_ids: Sequence[str]) -> ExecuteRequest:
    """The request as if it had asked for these outputs only: the query parameter `outputs` of GET .../results.

    Raises NoSuchOutput, ResultNotAvailable.
    """
    wanted = [] if request.wants_nothing else _wanted(request, described)
    for output_id in output_ids:
        if output_id not in described:
            raise NoSuchOutput(f'The process has no output "{output_id}".{meant(output_id, described)}')
        if output_id not in wanted:
            raise ResultNotAvailable(f'The output "{output_id}" was not requested.')
    stated = request.outputs or {}
    return replace(request, outputs={output_id: stated.get(output_id, OutputRequest()) for output_id in output_ids})


def _wanted(request: ExecuteRequest, described: Sequence[str]) -> list[str]:
    """The outputs asked for; none named means all."""
    return list(request.outputs or described)


def _is_there(result: Result | None) -> bool:
    if result is None:
        return False
    return nested.is_nested(result) or any(each is not None for each in (result.value, result.file, result.items))


@dataclass(frozen=True)
class _Reply:
    """The outputs that were asked for and produced, and how the client wants them."""

    results: Mapping[str, Result]
    request: ExecuteRequest
    preference: Preference
    link: Link
    at: At
    read: Read

    def settled(self) -> _Reply:
        """The same without results inside of results; their files stand inline where values are wanted."""
        made = {}
        for output_id, result in self.results.items():
            inline = self.how(output_id) == "value" and self._fits(result)
            made[output_id] = nested.settled(result, self.at, self.read if inline else None)
        return replace(self, results=made)

    def bare(self, accept: Accept) -> Answer:
        """The only output as it is; a client that reads JSON alone gets a file as a results document."""
        (output_id, result), *_ = self.results.items()
        stated = (self.request.outputs or {}).get(output_id, OutputRequest())
        if result.items is None:
            try:
                return bare(result, accept, stated.media_type)
            except NotAcceptable:
                if not accept.quality(JSON):
                    raise
        return self.negotiated(accept)

    def negotiated(self, accept: Accept) -> Answer:
        """A results document of version 2.0; multipart where the client names it and likes it better."""
        if self.results and accept.names(MULTIPART) and accept.quality(MULTIPART) > accept.quality(JSON):
            media_type, body = multipart.join(list(self.parts()))
            return Answer(media_type=media_type, body=body)
        if not accept.quality(JSON):
            raise NotAcceptable(f"The results can be given as {JSON} or {MULTIPART}.")
        return replace(self.document(), headers=[PROFILE_LINK])

    def document(self) -> Answer:
        """The results document: output ids and their values. Source: results.yaml."""
        entries = {name: self.entry(name, result, self.how(name)) for name, result in self.results.items()}
        return Answer(media_type=JSON, body=dumps(entries), honoured=("return",) if self.preference.returns else ())

    def raw(self, alone: bool) -> Answer:
        """The answer of version 1.0 to `response: raw`. alone: one output was asked for."""
        values = [output_id for output_id in self.results if self.how(output_id) != "reference"]
        if not values:
            return Answer(204, headers=[("Link", target) for target in self.targets()])
        if alone and (result := self.results[values[0]]).items is None:
            return bare(result, Accept(), (self.request.outputs or {}).get(values[0], OutputRequest()).media_type)
        media_type, body = multipart.join(list(self.parts()))
        return Answer(media_type=media_type, body=body)

    def targets(self) -> Iterator[str]:
        """A Link header's value for each output."""
        for output_id, index, result in self.flat():
            about = f'type="{essence(own_type(result))}"; title="{quote(output_id, safe=" /:+,@()[]")}"'
            yield f'<{result.href or self.link(output_id, index)}>; rel="related"; {about}'

    def parts(self) -> Iterator[multipart.Part]:
        """A part for each output; empty where it is given by reference."""
        for output_id, index, result in self.flat():
            content_id = output_id if index is None else f"{output_id}/{index}"
            media_type, body = representations(result)[0]
            if self.how(output_id) == "reference" or (result.file is not None and not self.files_fit):
                yield multipart.Part(content_id, media_type, location=result.href or self.link(output_id, index))
            else:
                yield multipart.Part(content_id, media_type, self.read(result) if result.file is not None else body)

    def flat(self) -> Iterator[tuple[str, int | None, Result]]:
        """Each output with its id; one that has several values as its values, numbered."""
        for output_id, result in self.results.items():
            if result.items is None:
                yield output_id, None, result
            else:
                yield from ((output_id, index, item) for index, item in enumerate(result.items))

    def how(self, output_id: str) -> str:
        """The stated way of an output, else the preferred one: value, reference, minimal or auto."""
        stated = (self.request.outputs or {}).get(output_id, OutputRequest()).transmission_mode
        return stated or {"representation": "value", "minimal": "minimal"}.get(self.preference.returns or "", "auto")

    @property
    def files_fit(self) -> bool:
        """Whether all files together are small enough to stand in one answer."""
        return sum(result.size or 0 for _, _, result in self.flat()) <= MAX_INLINE

    @staticmethod
    def _fits(result: Result) -> bool:
        return sum(file.size or 0 for file in result.files()) <= MAX_INLINE

    def entry(self, output_id: str, result: Result, how: str, index: int | None = None) -> Json:
        """An output in a results document: bare, `{"value": ...}` or a link."""
        if result.items is not None:
            return [self.entry(output_id, item, how, number) for number, item in enumerate(result.items)]
        if self.is_link(result, how):
            return nested.link(result, self.link(output_id, index), self.at, own_type(result))
        if result.file is None:
            return qualified(result.value, result.media_type)
        return inlined(self.read(result), result.media_type)

    def is_link(self, result: Result, how: str) -> bool:
        """Whether an output is linked rather than written out."""
        if how == "value":
            return result.file is not None and not self.files_fit
        if how == "auto":
            return result.file is not None or (result.size or 0) > SMALL
        return how == "reference" or isinstance(result.value, dict | list) or result.file is not None
