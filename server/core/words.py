"""Numbers in sentences, the same on pages and in what services say."""


def number(value: int) -> str:
    """Return a number with its thousands set apart by a narrow space, which no locale reads as a decimal sign."""
    return f"{value:,}".replace(",", "\u202f")


def counted(value: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 host``, ``1 204 hosts``."""
    return f"{number(value)} {one if value == 1 else many or plural(one)}"


def plural(one: str) -> str:
    """Return the plural of a noun as English spells it: hosts, repositories, days."""
    return f"{one[:-1]}ies" if one.endswith("y") and one[-2:-1] not in set("aeiou") else f"{one}s"
