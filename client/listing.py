"""Lists that show themselves as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

from geomill.client import notebook, show


class Row(Protocol):
    """What has a row in a table."""

    def _row(self) -> Sequence[Any]: ...


T = TypeVar("T", bound=Row)


class Listing(list[T]):
    """A list, of jobs or of processes."""

    def __init__(self, items: Iterable[T], heads: Sequence[str]) -> None:
        """heads: of the columns."""
        super().__init__(items)
        self._heads = heads

    def __repr__(self) -> str:
        return show.table([self._heads, *(each._row() for each in self)]) if self else "none"

    def _repr_html_(self) -> str:
        return notebook.table(self._heads, (each._row() for each in self))
