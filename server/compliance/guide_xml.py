"""Reading the XML of guides as a stream: nothing of it is kept, and nothing in it is followed."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol
from xml.parsers import expat

from server.compliance.errors import BadGuide

_PIECE_BYTES: Final = 256 * 1024
_DEPTH_MOST: Final = 200


class Reader(Protocol):
    """Takes what the parser meets; names are a namespace and a local name with a space between."""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take the beginning of an element."""

    def text(self, piece: str) -> None:
        """Take a piece of text."""

    def end(self, name: str) -> None:
        """Take the end of an element."""


def stream(path: Path, reader: Reader) -> None:
    """Hand a file to a reader; blocks. What the reader raises ends the reading.

    Document types are refused before anything of them is read, and with them entities and what lies elsewhere.

    Raises:
        BadGuide: it is not whole, or hostile; the text says which.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler, parser.EndElementHandler = _within(reader)
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _no_document_type
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                parser.Parse(piece, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        where = f"line {error.lineno}"
        raise BadGuide(reason=f"It is no whole XML: {expat.ErrorString(error.code)}, {where}") from error
    except (LookupError, ValueError) as error:
        raise BadGuide(reason="It is written in an alphabet that cannot be read; use UTF-8") from error


def _within(reader: Reader) -> tuple[Callable[[str, dict[str, str]], None], Callable[[str], None]]:
    """Return the reader's handlers, with a limit to how deep elements may be nested."""
    depth = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        if depth >= _DEPTH_MOST:
            raise BadGuide(reason=f"Its elements are nested more than {_DEPTH_MOST} deep")
        depth += 1
        reader.begin(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        reader.end(name)

    return begin, end


def _no_document_type(name: str, system: str | None, public: str | None, internal: int) -> None:  # noqa: ARG001
    raise BadGuide(reason="It declares a document type (DOCTYPE), which guides do not need")
