"""What most commands begin with: a lami as the environment says, closed at the end; and who is asking."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lami.core.model import Actor
from lami.settings import Settings, read
from lami.wiring import Lami, build, build_to_read


@contextmanager
def opened() -> Iterator[Lami]:
    """A lami; raises `BadSettings` before anything is opened where the environment is wrong."""
    lami = build(read(os.environ))
    try:
        yield lami
    finally:
        lami.close()


@contextmanager
def opened_to_read() -> Iterator[Lami]:
    """A lami that cannot write: what it is used for needs no right to."""
    lami = build_to_read(read(os.environ))
    try:
        yield lami
    finally:
        lami.close()


def operator() -> Actor:
    """Whoever runs this command, by the name that the operating system has."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as containers have; KeyError before Python 3.13
        name = f"user {os.getuid()}"
    return Actor("user", name, name)


def answers_nothing(lami: Lami, what: str) -> str:
    """That nothing answers; and where nothing is held, that it says nothing of how things are."""
    return (
        f"{what} {nothing_held(lami.settings)}"
        if lami.queries.holds_nothing(lami.settings.subscriptions)
        else what
    )


def nothing_held(settings: Settings) -> str:
    """That a store is empty, which one it is, and what fills it."""
    store = store_in_words(settings)
    return f"lami holds nothing yet in {store}: `lami baseline take` makes what stands expected."


def store_in_words(settings: Settings) -> str:
    """Where the baseline is kept, without what is secret of it."""
    if settings.sqlite_path:
        return f"SQLite at {settings.sqlite_path}"
    if settings.store.startswith("https://"):
        return f"table {settings.table} at {settings.store}"
    return f"table {settings.table} in the account of a connection string"
