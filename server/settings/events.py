"""What happened to the settings."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class SettingsChanged(Event):
    """Some settings have other values now; ``settings`` says which."""

    name: ClassVar[str] = "settings_changed"
    settings: tuple[str, ...]
