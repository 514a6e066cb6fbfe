"""What the settings room refuses."""

from server.core.errors import Invalid, Missing, Refused


class BadSetting(Invalid):
    """A value that the setting does not take; ``complaints`` has one sentence per setting."""

    code = "bad_setting"
    text = "Some settings have values they do not take"


class UnknownVariable(Missing):
    """A variable that is not in the catalogue."""


class ReadOnlyVariable(Refused):
    """A variable that counts before there is a database to store it in."""

    code = "read_only"
    text = "{key} can only be set in the environment of the server"


class NoSuchPicture(Missing):
    """A kind of picture that the product does not have."""


class BadUpload(Invalid):
    """A file that is not taken."""

    code = "bad_upload"
    text = "{reason}"
