"""Turns terminal output with colour codes into safe HTML; the same rules as ``static/js/ansi.js``."""

import re
from dataclasses import dataclass, replace
from html import escape
from typing import Final

# One control sequence: select-graphic-rendition is kept, every other is dropped.
_SEQUENCE: Final = re.compile(r"\x1b(?:\[([0-9;:]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
# A line drawn again from its start (progress bars) shows what was drawn last. Only looked for where a line or a drawing
# begins: one line of a megabyte would else be read again from each of its letters.
_REDRAWN: Final = re.compile(r"(?<![^\n\r])[^\n\r]*\r(?=[^\n\r])")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

_BASIC_COLOURS: Final = 8
_NAMED_COLOURS: Final = 16
_PALETTE: Final = 256
_CUBE_START: Final = 16
_GREY_START: Final = 232
_CUBE_SIDE: Final = 6
_GREY_BRIGHT: Final = 244
_CUBE_BRIGHT: Final = 2


@dataclass(frozen=True, slots=True)
class Style:
    """What the codes seen so far ask for; colours are 0 to 15 or none."""

    colour: int | None = None
    ground: int | None = None
    bold: bool = False
    faint: bool = False
    italic: bool = False
    underline: bool = False

    def classes(self) -> str:
        """Return the CSS classes, empty for plain text."""
        names = [f"ansi-{name}" for name in ("bold", "faint", "italic", "underline") if getattr(self, name)]
        if self.colour is not None:
            names.append(f"ansi-fg-{self.colour}")
        if self.ground is not None:
            names.append(f"ansi-bg-{self.ground}")
        return " ".join(names)


_PLAIN: Final = Style()
_SWITCHES: Final[dict[int, dict[str, bool]]] = {
    1: {"bold": True},
    2: {"faint": True},
    3: {"italic": True},
    4: {"underline": True},
    22: {"bold": False, "faint": False},
    23: {"italic": False},
    24: {"underline": False},
}


def to_html(text: str) -> str:
    """Return ``text`` escaped, each coloured stretch in a span; unknown codes and other controls vanish."""
    text = _REDRAWN.sub("", text.replace("\r\n", "\n"))
    parts: list[str] = []
    style = _PLAIN
    at = 0
    for match in _SEQUENCE.finditer(text):
        parts.append(_span(text[at : match.start()], style))
        if match[2] == "m":
            style = apply(style, match[1])
        at = match.end()
    parts.append(_span(text[at:], style))
    return "".join(parts)


def _span(text: str, style: Style) -> str:
    clean = escape(_CONTROL.sub("", text))
    classes = style.classes()
    return f'<span class="{classes}">{clean}</span>' if clean and classes else clean


def apply(style: Style, parameters: str) -> Style:
    """Return the style after one sequence of codes, given as it stands between ``[`` and ``m``."""
    codes = [int(code) if code else 0 for code in re.split("[;:]", parameters)]
    at = 0
    while at < len(codes):
        if codes[at] in {38, 48}:
            colour, used = _extended(codes[at + 1 :])
            style = replace(style, colour=colour) if codes[at] == 38 else replace(style, ground=colour)  # noqa: PLR2004
            at += 1 + used
        else:
            style = _one(style, codes[at])
            at += 1
    return style


def _one(style: Style, code: int) -> Style:
    if code == 0:
        return _PLAIN
    if code in _SWITCHES:
        return replace(style, **_SWITCHES[code])
    for first, field, bright in ((30, "colour", 0), (40, "ground", 0), (90, "colour", 8), (100, "ground", 8)):
        if first <= code < first + _BASIC_COLOURS:
            return replace(style, **{field: code - first + bright})  # type: ignore[arg-type]
    if code in {39, 49}:
        return replace(style, colour=None) if code == 39 else replace(style, ground=None)  # noqa: PLR2004
    return style


def _extended(codes: list[int]) -> tuple[int | None, int]:
    """Return the nearest of the 16 colours for ``5;n`` or ``2;r;g;b``, and how many codes it took."""
    if codes[:1] == [5] and len(codes) > 1:
        return _nearest_of_palette(codes[1]), 2
    if codes[:1] == [2] and len(codes) > 3:  # noqa: PLR2004
        return _nearest(*(min(value, 255) // 43 for value in codes[1:4])), 4
    return None, len(codes)


def _nearest_of_palette(value: int) -> int | None:
    if value < _NAMED_COLOURS:
        return value
    if value >= _PALETTE:
        return None
    if value >= _GREY_START:
        return 7 if value >= _GREY_BRIGHT else 8
    cube = value - _CUBE_START
    return _nearest(cube // 36, cube // _CUBE_SIDE % _CUBE_SIDE, cube % _CUBE_SIDE)


def _nearest(red: int, green: int, blue: int) -> int:
    """Return the named colour that looks most like one of the cube with six steps a side."""
    most = max(red, green, blue)
    if most == 0:
        return 8
    named = sum(bit for bit, part in ((1, red), (2, green), (4, blue)) if part * 2 > most)
    return named + 8 if most > _CUBE_BRIGHT + 1 else named
