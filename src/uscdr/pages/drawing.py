"""Pictures in SVG for a page: places across are percentages, so that a picture fits every width and its text stays.

Colours are classes of the page's style, which knows light and dark. Texts are escaped when the picture is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree as ET

Side = Literal["start", "middle", "end"]
Mark = Literal["dot", "ring", "diamond", "cross"]
_MARKS: dict[Mark, str] = {
    "dot": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "ring": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "diamond": "M0-6L6 0L0 6L-6 0z",
    "cross": "M-5-5L5 5M-5 5L5-5",
}
LEAST = 0.4
"""The least width of a bar in percent: what took a moment is seen, too."""


@dataclass
class Drawing:
    """A picture of `height` pixels, as wide as its place; `title` is its alternative text, `words` what it shows."""

    title: str
    words: str
    height: float
    _parts: list[ET.Element] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, side: Side = "start", kind: str = "") -> None:
        """Words at `x` percent and `y` pixels (their base line), that begin, end or are centred there."""
        part = self._add("text", x=f"{x:.2f}%", y=f"{y:g}", **{"text-anchor": side, "class": f"t {kind}".strip()})
        part.text = words

    def bar(self, x: float, y: float, width: float, height: float, kind: str, words: str = "") -> None:
        """A bar; `x` and `width` in percent, cut at the right edge. A pointer on it shows `words`."""
        wide = max(LEAST, min(width, 100 - x))
        part = self._add(
            "rect", x=f"{min(x, 100 - LEAST):.2f}%", y=f"{y:g}", width=f"{wide:.2f}%", height=f"{height:g}", rx="2",
            **{"class": kind},
        )  # fmt: skip
        _titled(part, words)

    def line(self, x: float, y: float, to_x: float, to_y: float, kind: str) -> None:
        """A line from (`x`, `y`) to (`to_x`, `to_y`), x in percent."""
        self._add("line", x1=f"{x:.2f}%", y1=f"{y:g}", x2=f"{to_x:.2f}%", y2=f"{to_y:g}", **{"class": kind})

    def mark(self, x: float, y: float, mark: Mark, kind: str, words: str = "") -> None:
        """A sign at `x` percent and `y` pixels; its form says what it is, and not its colour alone."""
        place = self._add("svg", x=f"{x:.2f}%", y=f"{y:g}", overflow="visible")
        part = ET.SubElement(place, "path", {"d": _MARKS[mark], "class": kind})
        _titled(part, words)

    def _add(self, name: str, **facts: str) -> ET.Element:
        self._parts.append(ET.Element(name, facts))
        return self._parts[-1]

    def __html__(self) -> str:
        """The picture as it stands in a page; Jinja takes it as it is."""
        root = ET.Element("svg", {"class": "picture", "width": "100%", "height": f"{self.height:g}", "role": "img"})
        ET.SubElement(root, "title").text = self.title
        ET.SubElement(root, "desc").text = self.words
        root.extend(part for part in self._parts if part.tag != "text")
        root.extend(part for part in self._parts if part.tag == "text")  # no line crosses a word
        return ET.tostring(root, encoding="unicode")


def _titled(part: ET.Element, words: str) -> None:
    if words:
        ET.SubElement(part, "title").text = words
