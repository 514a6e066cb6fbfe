"""What the settings room refuses."""

from server.core.errors import Invalid


class BadSetting(Invalid):
    """A value that the setting does not take; ``complaints`` has one sentence per setting."""

    code = "bad_setting"
    text = "Some settings have values they do not take"
