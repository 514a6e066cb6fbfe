"""The name, pictures and colour that an operator gave the product: the porch reads them, the settings provide them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from server.core.call import World
from server.web.routing import world


@dataclass(frozen=True, slots=True)
class Brand:
    """What stands on every page.

    Attributes:
        name: of the product.
        logo_light, logo_dark: URLs of the pictures for the two themes; empty for ours.
        favicon: URL of the small picture.
        sheet: URL of the style sheet with the colour; empty for ours.
    """

    name: str = "PatchMon"
    logo_light: str = ""
    logo_dark: str = ""
    favicon: str = "/static/icons/favicon.svg"
    sheet: str = ""


#: As the product comes.
OURS: Final = Brand()


BrandReader = Callable[[World], Brand]
#: Where the brand comes from; the settings room sets it. Asked for every page, so it only looks at what is kept.
BRAND: Final[web.AppKey[BrandReader]] = web.AppKey("brand")


def brand(request: web.Request) -> Brand:
    """Return what holds now; ours where nobody provides another."""
    reader = request.config_dict.get(BRAND)
    return Brand() if reader is None else reader(world(request))
