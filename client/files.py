"""What a job gave, as values of Python: scalars, objects and lists as they are, everything else as a File."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from geomill.client import notebook, outputs, show
from geomill.client.outputs import Fetch, Items, Output, Outputs

SHORT = 100  # characters of a value in a table


class File:
    """A file that a job gave. name: of the output; href: where it is, None when it came inside the answer."""

    def __init__(self, output: Output, fetch: Fetch) -> None:
        """fetch: gives the content behind a link."""
        self._output, self._fetch = output, fetch
        self.name, self.href, self.media_type = output.name, output.href, output.media_type

    def read(self) -> bytes:
        """All of it. Raises ServiceError when it cannot be fetched."""
        return b"".join(outputs.content(self._output, self._fetch))

    def save(self, path: str | Path) -> Path:
        """Write it to a file, or to one of its own name in a folder that there is: the path.

        The file is there when it is whole. Raises ServiceError when it cannot be fetched.
        """
        path = Path(path).expanduser()
        if path.is_dir():
            path /= outputs.file_name(self._output)
        return outputs.save(self._output, path, self._fetch)

    def in_words(self) -> str:
        """Where it is, and what."""
        where = self.href or f"{len(self._output.content or b'')} bytes"
        return show.clean(f"{where}  ({self.media_type})" if self.media_type else where)

    def __repr__(self) -> str:
        return f"<File {show.clean(self.name)}: {self.in_words()}>"


class Results(dict[str, Any]):
    """The outputs of a job by their names."""

    def __init__(self, found: Outputs, fetch: Fetch) -> None:
        super().__init__({name: _opened(items, fetch) for name, items in found.items()})
        self._found, self._fetch = found, fetch

    def save(self, folder: str | Path) -> list[Path]:
        """Write each output to a file of its name in a folder, which is made if need be: their paths."""
        return outputs.save_all(outputs.flat(self._found), Path(folder).expanduser(), self._fetch)

    def __repr__(self) -> str:
        return show.table(self._rows()) or "no outputs"

    def _repr_html_(self) -> str:
        return notebook.table(("output", "value"), self._rows())

    def _rows(self) -> Iterator[tuple[str, str]]:
        for name, value in self.items():
            if isinstance(value, File):
                yield name, value.in_words()
            else:
                yield name, show.short(value if isinstance(value, str) else repr(value), SHORT)


def _opened(items: Items, fetch: Fetch) -> Any:
    if isinstance(items, list):
        return [_opened(each, fetch) for each in items]
    is_value = items.href is None and items.content is None and items.path is None
    return items.value if is_value else File(items, fetch)
