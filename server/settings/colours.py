"""An accent colour and what follows from it: whether it can be read, and its shades for both themes."""

import re
from typing import Final

_COLOUR: Final = re.compile(r"^#?([0-9a-fA-F]{6}|[0-9a-fA-F]{3})$")
#: The darkest ground of the light theme and the lightest of the dark one, on which links stand.
_LIGHT_GROUND: Final = "#f1f3f6"
_DARK_GROUND: Final = "#1c2027"
_DARK_PAGE: Final = "#0e1014"
_WHITE: Final = "#ffffff"
_BLACK: Final = "#000000"
#: WCAG 2.2 AA for text.
LEAST: Final = 4.5
_STEPS: Final = 100


def taken(text: str) -> str:
    """Return a colour as ``#rrggbb``; ``ValueError`` with a sentence when it is none or cannot be read."""
    match = _COLOUR.match(text.strip())
    if match is None:
        message = "must be a colour such as #3d52d5"
        raise ValueError(message)
    digits = match[1].lower()
    colour = "#" + (digits if len(digits) == 6 else "".join(2 * digit for digit in digits))  # noqa: PLR2004 (rrggbb)
    found = contrast(colour, _LIGHT_GROUND)
    if found < LEAST:
        message = (
            f"is too light to be read: its contrast is {found:.1f} to 1, and {LEAST} to 1 is needed on buttons and "
            f"links. The next darker shade that can be read is {_until_readable(colour, _BLACK, _LIGHT_GROUND)}"
        )
        raise ValueError(message)
    return colour


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21, as WCAG counts it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def sheet(colour: str) -> str:
    """Return the style sheet that puts a colour in the place of ours, with readable shades for the dark theme."""
    dark = _until_readable(colour, _WHITE, _DARK_GROUND, LEAST + 1)
    pairs = {
        "accent": (colour, dark),
        "accent-strong": (_mixed(colour, _BLACK, 0.15), _mixed(dark, _WHITE, 0.2)),
        "accent-fill": (colour, colour),
        "accent-fill-strong": (_mixed(colour, _BLACK, 0.15), _mixed(colour, _BLACK, 0.2)),
        "accent-soft": (_mixed(colour, _WHITE, 0.92), _mixed(colour, _DARK_PAGE, 0.75)),
    }
    lines = [f"  --{name}: light-dark({light}, {dark});" for name, (light, dark) in pairs.items()]
    return "\n".join((":root {", *lines, "}", ""))


def _until_readable(colour: str, towards: str, ground: str, least: float = LEAST) -> str:
    for step in range(_STEPS + 1):
        shade = _mixed(colour, towards, step / _STEPS)
        if contrast(shade, ground) >= least:
            return shade
    return towards


def _mixed(one: str, other: str, share: float) -> str:
    """Return ``one`` with a share of ``other`` in it."""
    pairs = zip(_parts(one), _parts(other), strict=True)
    return "#" + "".join(f"{round(mine + (theirs - mine) * share):02x}" for mine, theirs in pairs)


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 (the formula's numbers)
        for part in (value / 255 for value in _parts(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
