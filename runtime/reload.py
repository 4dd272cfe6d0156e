"""SIGHUP for a server of one process: what can change while it runs is looked at now, what cannot is named and waits for a restart.

Several processes are replaced instead (`runtime.workers`), which takes up all settings.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from foundation.settings import BadSettings
from foundation.wording import said
from runtime.notify import notify, reloading
from runtime.settings import Settings, read

log = structlog.get_logger()


class Reload:
    """`look`: looks at the files that are followed (certificates follow theirs by themselves, within seconds)."""

    def __init__(self, settings: Settings, config: Path, look: Callable[[], Awaitable[None]]) -> None:
        self._settings, self._config, self._look = settings, config, look
        self._task: asyncio.Task[None] | None = None

    def listen(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._begin)

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._reload())

    async def _reload(self) -> None:
        reloading()
        await self._look()
        try:
            waiting = differing(self._settings, read(self._config.absolute()))
        except BadSettings as bad:
            log.error("settings_unusable", faults=[said(fault, "en") for fault in bad.faults])
        else:
            if waiting:
                log.warning("settings_need_restart", sections=waiting)
        log.info("reloaded")
        notify("READY=1")


def differing(old: Settings, new: Settings) -> list[str]:
    """Names of the sections that are not as they were."""
    return [name for name in Settings.model_fields if getattr(old, name) != getattr(new, name)]
