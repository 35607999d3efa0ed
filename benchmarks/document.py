"""The figures in a document: tables and plots between two markers; what is outside of them was written by people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine, plots
from benchmarks.figures import Figure, markdown
from examples.backstage import expect

PAGE = Path(__file__).parents[1] / "docs/performance.md"
QUIET = 0.05  # of the processors, that somebody always needs
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True)
class Section:
    """What one benchmark found. noise: the share of the processors that others kept busy."""

    name: str
    title: str
    noise: float
    figures: tuple[Figure, ...]
    trouble: str | None = None

    def missed(self) -> list[str]:
        """What is not as it should be."""
        found = [f"{each.name}: {' '.join(each.row()[1:5])}" for each in self.figures if each.met is False]
        return [*found, self.trouble] if self.trouble else found

    def record(self) -> dict[str, Any]:
        """For a JSON file."""
        figures = [figure.record() for figure in self.figures]
        return {"name": self.name, "noise": self.noise, "trouble": self.trouble, "figures": figures}

    def markdown(self) -> str:
        """A heading and a table."""
        trouble = f"\n\nIt did not end: {self.trouble}" if self.trouble else ""
        noise = f" Others kept {self.noise:.0%} of the processors busy." if self.noise > QUIET else ""
        return f"### {self.name}\n\n{self.title}.{noise}\n\n{markdown(self.figures)}{trouble}"


def write(page: Path, sections: Sequence[Section], *, quick: bool) -> str:
    """Put what was measured between the markers of a page, plots beside it: what was done. Raises Failed."""
    drawn = plots.draw(page.parent / "images", sections)
    images = [f"![{title}](images/{name})" for title, name in drawn.items()]
    goals = [figure.met for section in sections for figure in section.figures if figure.met is not None]
    parts = [
        "\n".join(f"- {line}" for line in machine.lines()),
        f"{goals.count(True)} of {len(goals)} goals are met." + (" This was a quick run." if quick else ""),
        *images,
        *(section.markdown() for section in sections),
    ]
    page.write_text(between(page.read_text(), "\n\n".join(parts)))
    missing = "" if drawn else "; there are no plots without matplotlib: pip install --editable '.[bench]'"
    return f"written to {page}{missing}"


def between(text: str, content: str) -> str:
    """A document whose part between the markers is replaced. Raises Failed where they are not there, once each."""
    once = text.count(BEGIN) == text.count(END) == 1 and text.index(BEGIN) < text.index(END)
    expect(once, f"the page has to have {BEGIN} and {END}, once each, in this order")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{content}\n\n{END}{rest.split(END)[1]}"
