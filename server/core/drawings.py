"""SVG files that people upload: a list of shapes and colours is taken, everything that could act is refused."""

import re
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError, register_namespace, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_ELEMENTS: Final = frozenset(
    {
        "svg", "g", "defs", "symbol", "use", "title", "desc", "path", "rect", "circle", "ellipse", "line", "polyline",
        "polygon", "text", "tspan", "linearGradient", "radialGradient", "stop", "clipPath", "mask", "pattern", "marker",
        "filter", "feGaussianBlur", "feOffset", "feBlend", "feColorMatrix", "feComposite", "feFlood", "feMerge",
        "feMergeNode", "feDropShadow", "style", "switch",
    }
)  # fmt: skip
#: What drawing programs add for themselves: left out without a word.
_OURS: Final = frozenset({f"{{{_SVG}}}", ""})
_DROPPED: Final = frozenset({"metadata"})
_ACTIVE: Final = re.compile(
    r"javascript:|vbscript:|@import|expression\s*\(|behavior\s*:|-moz-binding|data:text|url\(\s*['\"]?\s*(?!#)",
    re.IGNORECASE,
)
_ESCAPE: Final = re.compile(r"\\[0-9a-fA-F]")
_NUMBER: Final = re.compile(r"^\s*(\d{1,5}(?:\.\d+)?)\s*(?:px)?\s*$")
_DEEPEST: Final = 40
_MOST: Final = 5000


class BadDrawing(ValueError):
    """The SVG file holds what is not taken; the text says what."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing written anew; its size is 0 where the file does not say."""

    content: bytes
    width: int
    height: int


def cleaned(data: bytes) -> Drawing:
    """Return the drawing; raises ``BadDrawing`` for scripts, handlers, references to other places and entities."""
    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        message = "The SVG file declares a document type or entities; they are not taken."
        raise BadDrawing(message) from error
    except (ParseError, ValueError, LookupError) as error:
        message = "The SVG file is damaged: it cannot be read as XML."
        raise BadDrawing(message) from error
    if root.tag != f"{{{_SVG}}}svg":
        message = "The file is no SVG: its outermost element is another one."
        raise BadDrawing(message)
    _walk(root, 0, [0])
    register_namespace("", _SVG)
    register_namespace("xlink", _XLINK)
    width, height = _size(root)
    return Drawing(tostring(root, encoding="utf-8", xml_declaration=False), width, height)


def _walk(element: Element, depth: int, count: list[int]) -> None:
    count[0] += 1
    if depth > _DEEPEST or count[0] > _MOST:
        message = f"The SVG file is too complex: at most {_MOST} elements, {_DEEPEST} deep, are taken."
        raise BadDrawing(message)
    _demand_harmless(element)
    for child in [*element]:
        if _is_foreign(child):
            element.remove(child)
        else:
            _walk(child, depth + 1, count)


def _is_foreign(element: Element) -> bool:
    if not isinstance(element.tag, str):
        return True
    space, name = _split(element.tag)
    return (space not in _OURS and name not in {"script", "foreignObject"}) or name in _DROPPED


def _split(tag: str) -> tuple[str, str]:
    space, mark, name = tag.rpartition("}")
    return space + mark, name


def _demand_harmless(element: Element) -> None:
    name = _split(element.tag)[1]
    if name not in _ELEMENTS:
        message = f"The SVG file has an element <{name}>; only shapes, texts, gradients and filters are taken."
        raise BadDrawing(message)
    for full, value in [*element.attrib.items()]:
        space, attribute = _split(full)
        if attribute.lower().startswith("on"):
            message = f"The SVG file has an event handler ({attribute}); nothing that acts is taken."
            raise BadDrawing(message)
        if attribute == "href" and not value.strip().startswith("#"):
            message = "The SVG file refers to something outside itself; that is not taken."
            raise BadDrawing(message)
        _demand_plain(value)
        if space not in _OURS | {f"{{{_XLINK}}}"}:
            del element.attrib[full]
    if name == "style":
        _demand_plain(element.text or "")


def _demand_plain(text: str) -> None:
    if _ACTIVE.search(text) or (_ESCAPE.search(text) and "url" in text.lower()):
        message = "The SVG file refers to something outside itself or holds a script; that is not taken."
        raise BadDrawing(message)


def _size(root: Element) -> tuple[int, int]:
    found = [_NUMBER.match(root.get(side, "")) for side in ("width", "height")]
    if all(found):
        return tuple(round(float(match[1])) for match in found if match)  # type: ignore[return-value]
    box = root.get("viewBox", "").replace(",", " ").split()
    try:
        return (round(float(box[2])), round(float(box[3]))) if len(box) == 4 else (0, 0)  # noqa: PLR2004 (x y w h)
    except (ValueError, OverflowError):
        return (0, 0)
