"""What may enter the audit log."""

from collections.abc import Mapping

from server.core.redaction import masked


def presentable(detail: Mapping[str, object]) -> dict[str, object]:
    """Return ``detail`` with everything that is named or looks like a secret hidden, at any depth.

    Callers do not pass secrets; this is the last net, because what is written here is kept and shown.
    """
    return {name: masked(name, value) for name, value in detail.items()}
