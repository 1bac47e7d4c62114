"""Query parameters read one by one, so that one answer names every bad one, unknown ones too."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from lami.core.moments import first_moment, last_moment
from lami.web.problems import Fault, Problem

T = TypeVar("T")
_LONGEST = 2048


class Parameters:
    """The parameters of one request. A method asks for one; what was not asked for at the end is unknown.

    An empty value is no value. `faults` collects what is wrong; `check` raises it.
    """

    def __init__(self, given: MultiDict[str, str]) -> None:
        self._given = given
        self._known: list[str] = []
        self.faults: list[Fault] = []

    def fault(self, name: str, detail: str) -> None:
        """Note one fault."""
        self.faults.append(Fault(name, detail))

    def text(self, name: str) -> str:
        """A text, at most 2,048 characters; empty where it is not given."""
        values = self._values(name)
        if len(values) > 1:
            self.fault(name, "is given more than once")
        if values and len(values[0]) > _LONGEST:
            self.fault(name, f"is longer than {_LONGEST} characters")
            return ""
        return values[0] if values else ""

    def asked(self, name: str, read: Callable[[str], str]) -> str:
        """A text that `read` takes, which raises ValueError where it could match nothing."""
        text = self.text(name)
        try:
            return read(text)
        except ValueError as error:
            self.fault(name, str(error))
            return ""

    def one_of(self, name: str, options: tuple[T, ...]) -> T | None:
        """One of some words; None where it is not given."""
        return self._option(name, self.text(name), options)

    def some_of(self, name: str, options: tuple[T, ...]) -> tuple[T, ...]:
        """Some of some words, each in a parameter of its own: `?status=open&status=accepted`."""
        found = [self._option(name, value, options) for value in self._values(name)]
        return tuple(option for option in found if option is not None)

    def since(self, name: str) -> datetime | None:
        """A time (RFC 3339), or a date for its first moment in UTC; None where it is not given."""
        return self._time(name, first_moment)

    def until(self, name: str) -> datetime | None:
        """A time (RFC 3339), or a date for its last moment in UTC; None where it is not given."""
        return self._time(name, last_moment)

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        """A whole number within bounds."""
        text = self.text(name)
        if not text:
            return default
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not lowest <= int(text) <= highest:
            self.fault(name, f"is a whole number from {lowest} to {highest}")
            return default
        return int(text)

    def check(self) -> None:
        """Raise a `Problem` that names every fault, if there is any."""
        known = tuple(sorted(self._known))
        strangers = sorted(set(self._given) - set(known))
        detail = "there is no such parameter here"
        self.faults += [Fault(name[:_LONGEST], detail, known) for name in strangers]
        if self.faults:
            number = len(self.faults)
            said = "; ".join(f"{fault.parameter} {fault.detail}" for fault in self.faults)
            raise Problem(400, f"{number} bad parameter{'s' * (number > 1)}: {said}", self.faults)

    def _values(self, name: str) -> list[str]:
        self._known.append(name)
        return [value.strip() for value in self._given.getlist(name) if value.strip()]

    def _time(self, name: str, moment: Callable[[str], datetime]) -> datetime | None:
        text = self.text(name)
        if not text:
            return None
        try:
            return moment(text)
        except ValueError as error:
            self.fault(name, f"{error}; a + in it is written %2B")
            return None

    def _option(self, name: str, text: str, options: tuple[T, ...]) -> T | None:
        for option in options:
            if option == text:
                return option
        if text:
            self.fault(name, f"is one of {', '.join(map(str, options))}")
        return None
