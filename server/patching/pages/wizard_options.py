"""The options of a run as the wizard asks for them, and the order that comes of everything that was chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, cast

from server.patching.models import Reboot, RunOptions, Target, Wanted, Work
from server.patching.pages.wizard_state import State, patterns
from server.web.fields import Field, filled

_POLICY: Final = ("", "As the host's policy says")
_YES_NO: Final = (_POLICY, ("yes", "Yes"), ("no", "No"))
_NONE: Final = "-"
_FIELDS: Final = (
    Field("hold_patterns", "Leave these packages alone", placeholder="linux-image-* postgresql-*", required=False,
          help="Patterns of names, with spaces between them. Those of the host are added."),
    Field("allow_patterns", "Update only these packages", placeholder="libssl* openssl", required=False,
          help="Patterns of names. Empty: every package that is chosen."),
    Field("full_upgrade", "Also updates that remove other packages", "choice", choices=_YES_NO, required=False),
    Field("reboot", "Restart afterwards", "choice", required=False, choices=(
        _POLICY, ("never", "Never"), ("if_required", "If an update requires it"), ("always", "Always"))),
    Field("snapshot", "Keep a snapshot of the package database and /etc first", "choice", choices=_YES_NO,
          required=False),
    Field("pre_playbook", "Playbook before", "choice", required=False,
          help="It stops the run before anything changes if it fails."),
    Field("post_playbook", "Playbook after", "choice", required=False,
          help="If it fails, the run counts as failed; what was installed stays."),
)  # fmt: skip


def options(state: State, playbooks: Sequence[str], complaints: Mapping[str, str]) -> list[Field]:
    """Return the fields, with what was said so far."""
    choices = (_POLICY, (_NONE, "None"), *((name, name) for name in playbooks))
    fields = [replace(one, choices=choices) if one.name.endswith("_playbook") else one for one in _FIELDS]
    if state.what == "packages":
        fields = [one for one in fields if one.name not in {"full_upgrade", "allow_patterns"}]
    return filled(fields, state.options, complaints)


def said(state: State) -> RunOptions:
    """Return what was said of the options; the rest is for the policies to say."""
    texts = state.options
    held, allowed = (tuple(patterns(texts.get(name, ""))) or None for name in ("hold_patterns", "allow_patterns"))
    # Whoever was asked what to update and said everything means it; a button beside a host does not say so much.
    security = True if state.what == "security" else False if state.what == "all" and state.ask else None
    reboot = texts.get("reboot")
    return RunOptions(
        security_only=security,
        hold_patterns=held,
        allow_patterns=allowed,
        full_upgrade=_yes(texts.get("full_upgrade")),
        reboot=cast("Reboot", reboot) if reboot in {"never", "if_required", "always"} else None,
        snapshot=_yes(texts.get("snapshot")),
        pre_playbook=_name(texts.get("pre_playbook")),
        post_playbook=_name(texts.get("post_playbook")),
    )


def _yes(text: str | None) -> bool | None:
    return {"yes": True, "1": True, "true": True, "no": False, "0": False, "false": False}.get(text or "")


def _name(text: str | None) -> str | None:
    return "" if text == _NONE else text or None


def work(state: State, *, dry_run: bool) -> Work:
    """Return what the runs do."""
    if state.what == "packages":
        chosen = replace(said(state), full_upgrade=None, allow_patterns=None)
        return Work("patch_package", state.packages, dry_run, chosen)
    return Work("patch_all", (), dry_run, said(state))


def order(state: State, targets: Sequence[Target], *, dry_run: bool) -> Wanted:
    """Return the order for these hosts."""
    return Wanted(
        work(state, dry_run=dry_run),
        tuple(target.uuid for target in targets),
        submit=state.later and not dry_run,
        immediately=state.now and not dry_run,
        at_once=frozenset() if dry_run else frozenset(state.soon),
    )
