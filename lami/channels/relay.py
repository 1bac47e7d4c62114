"""The mail server that takes lami's mail: what settings say of it, apart from the code that speaks to it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The relay that takes lami's mail. Without `starttls` it has to be on this machine."""

    host: str
    port: int = 587
    user: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = True
