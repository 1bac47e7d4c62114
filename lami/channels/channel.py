"""What a channel is: something that can be told an alert, and says by exception that it was not."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from lami.core.model import Cause, Finding


class Alert(Struct, frozen=True):
    """All findings of one story that a channel is to be told, as one message: mostly of one cause.

    A *digest* gathers the findings of several stories (`stories` counts them), where there were too many to
    tell each alone. `id` is the same whenever the same alert is sent again. `thread` ties alerts of one story
    together (a mail's References). `findings` come gravest first and are never empty. `link` is a page's
    address, or empty.
    """

    id: str
    thread: str
    findings: tuple[Finding, ...]
    link: str = ""
    stories: int = 1

    @property
    def cause(self) -> Cause:
        """Who did what its first finding is about, and how."""
        return self.findings[0].cause

    @property
    def is_digest(self) -> bool:
        """Whether it gathers the findings of several stories; `cause` and `thread` then say little."""
        return self.stories > 1


class Channel(Protocol):
    """A way to tell somebody. `name` is what `[routes]` of the policy calls it."""

    @property
    def name(self) -> str:
        """The channel's name: `teams`, `email`, `event-grid`, `console`."""
        ...

    def send(self, alert: Alert) -> None:
        """Tell the alert, or raise `Temporary` (try again) or `Permanent` (this alert never goes through)."""
        ...
