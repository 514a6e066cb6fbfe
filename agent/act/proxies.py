"""Terminals and desktops through this agent: only the local file lets anybody in, and it says where it is."""

from __future__ import annotations

from typing import Dict, Optional

from agent.config import Config

_NAMES = {"ssh_proxy": "SSH", "rdp_proxy": "RDP"}


def answer(config: Config, message: Dict[str, object]) -> Optional[Dict[str, str]]:
    """Return what to answer to the wish for a session; nothing to a wish without one."""
    kind, session = str(message.get("type")), message.get("session_id")
    if not isinstance(session, str) or not session:
        return None
    allowed = config.integrations.ssh_proxy if kind == "ssh_proxy" else config.integrations.rdp_proxy
    text = _later(kind) if allowed else _refusal(config, kind)
    return {"type": f"{kind}_error", "session_id": session, "data": text, "message": text}


def _refusal(config: Config, kind: str) -> str:
    key = kind.replace("_", "-") + "-enabled"
    return (
        f"{_NAMES[kind]} proxy is not enabled. To enable {_NAMES[kind]} proxy, edit the file {config.file} on the host"
        f" and add:\n\nintegrations:\n  {key}: true\n\nThen restart the agent's service. Only this file decides; the"
        " server cannot change it."
    )


def _later(kind: str) -> str:
    return f"{_NAMES[kind]} sessions are not part of this version of the agent."
