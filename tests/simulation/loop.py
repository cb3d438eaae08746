"""An event loop whose time costs nothing, and processes in it that can freeze and die between any two steps.

Time stands still while there is something to do and leaps to the next timer when there is not. Everything that a
process starts carries its mark: a frozen process's steps are laid aside until it goes on, as after a SIGSTOP.
"""

import asyncio
import collections
import selectors
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context, ContextVar, copy_context
from typing import Any

_MINE: ContextVar["Process | None"] = ContextVar("process", default=None)


class Killed(asyncio.CancelledError):
    """The process is gone: nothing of it runs on."""


class Process:
    """What is started in it lives and dies with it."""

    def __init__(self, name: str, loop: "VirtualLoop") -> None:
        self.name = name
        self.is_dead = False
        self.is_frozen = False
        self.laid_aside: list[asyncio.Handle] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self._loop = loop
        self.context: Context = copy_context()
        self.context.run(_MINE.set, self)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something in this process."""
        return self._loop.create_task(work, context=self.context)

    def later(self, seconds: float, call: Callable[..., object], *arguments: Any) -> None:
        """Call something in this process, from outside: a packet comes in."""
        self._loop.call_later(seconds, call, *arguments, context=self.context)

    def freeze(self) -> None:
        """SIGSTOP."""
        self.is_frozen = True

    def thaw(self) -> None:
        """SIGCONT: what came meanwhile is done now."""
        self.is_frozen = False
        self._loop.take_up(self.laid_aside)
        self.laid_aside = []

    def kill(self) -> None:
        """SIGKILL: its tasks end where they wait; whatever they would clean up meets a dead store and carrier."""
        self.is_dead = True
        self.thaw()
        for task in self.tasks:
            task.cancel()

    async def die(self) -> None:
        """Be killed by one's own step."""
        self.kill()
        await asyncio.get_running_loop().create_future()


class _Ready(collections.deque[asyncio.Handle]):
    """The loop's queue of steps, which passes by those of frozen processes."""

    def popleft(self) -> asyncio.Handle:
        handle = super().popleft()
        process = handle._context.get(_MINE)  # type: ignore[attr-defined]
        if process is None or not process.is_frozen:
            return handle
        process.laid_aside.append(handle)
        nothing = asyncio.Handle(int, (), handle._loop)  # type: ignore[attr-defined]
        nothing.cancel()
        return nothing


class _Leap(selectors.SelectSelector):
    """Waits for nothing: lets the loop's time pass instead."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for somebody else"
        self.loop.seconds += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        selector = _Leap()
        selector.loop = self
        super().__init__(selector)
        self._ready = _Ready()
        self.set_task_factory(self._task)
        self.failures: list[Mapping[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def time(self) -> float:
        """See AbstractEventLoop.time."""
        return self.seconds

    def _task(self, loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **more)
        context = more.get("context")
        process = context.get(_MINE) if context is not None else _MINE.get()
        if process is not None:
            process.tasks.append(task)
        return task

    def take_up(self, handles: list[asyncio.Handle]) -> None:
        """Steps that were laid aside come next."""
        self._ready.extend(handles)

    def leap(self, seconds: float) -> None:
        """All machines sleep for so long."""
        self.seconds += seconds
