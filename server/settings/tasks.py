"""Background work that settings decide about."""

from typing import Final

from server.audit import service as audit
from server.core.call import Call
from server.core.log import get_log
from server.core.queue import Task
from server.settings import service

log = get_log(__name__)


async def prune_audit(call: Call) -> None:
    """Forget audit entries beyond their retention; the audit room cannot look up settings itself."""
    keep_days = (await service.effective(call)).audit_retention_days
    if keep_days and (gone := await audit.prune(call, keep_days)):
        log.info("audit_pruned", entries=gone)


TASKS: Final = (
    Task(
        "settings.prune_audit",
        prune_audit,
        every_seconds=6 * 3600,
        title="Forget old audit entries",
        about="Deletes entries of the audit log beyond their retention.",
        also="audit-cleanup",
    ),
)
