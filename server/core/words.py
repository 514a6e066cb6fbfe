"""Numbers in sentences, the same on pages and in what services say."""


def number(value: int) -> str:
    """Return a number with its thousands set apart by a narrow space, which no locale reads as a decimal sign."""
    return f"{value:,}".replace(",", "\u202f")


def counted(value: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 host``, ``1 204 hosts``."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"
