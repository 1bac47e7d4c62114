"""The JSON body of a control call: each member asked for by name and type, and no member unasked for."""

import json
from collections.abc import Mapping
from typing import TypeVar

from lami.sandbox.model import ROBIN, Actor, JsonObject, Refused

T = TypeVar("T")


class Body:
    """Members are read with the method of their type, which refuses another; then `done` refuses the rest."""

    def __init__(self, members: Mapping[str, object], where: str = "the body") -> None:
        self._members = members
        self._where = where
        self._known: set[str] = set()

    @staticmethod
    def parse(raw: bytes) -> "Body":
        """An object out of a request's body; an empty body is an empty object."""
        try:
            members = json.loads(raw or b"{}")
        except ValueError as broken:
            raise Refused(f"the body is not JSON: {broken}") from broken
        if not isinstance(members, dict):
            raise Refused("the body has to be a JSON object")
        return Body(members)

    def text(self, name: str) -> str | None:
        """A string, or None where it is left out."""
        return self._typed(name, str, "a string")

    def required(self, name: str) -> str:
        """A string that may not be left out."""
        value = self.text(name)
        if not value:
            raise Refused(f"{self._where} lacks {name!r}")
        return value

    def choice(self, name: str, *choices: str) -> str | None:
        """One of some strings, or None."""
        value = self.text(name)
        if value is not None and value not in choices:
            raise Refused(f"{name!r} has to be one of {', '.join(choices)}, not {value!r}")
        return value

    def flag(self, name: str) -> bool | None:
        """True, false, or None."""
        return self._typed(name, bool, "true or false")

    def number(self, name: str, most: float = 86400) -> float | None:
        """A number from 0 to `most`, or None."""
        self._known.add(name)
        value = self._members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise Refused(f"{name!r} has to be a number from 0 to {most:g}")
        return value

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number within bounds, or None."""
        value = self.number(name, most)
        if value is not None and (value != int(value) or value < least):
            raise Refused(f"{name!r} has to be a whole number from {least} to {most}")
        return None if value is None else int(value)

    def texts(self, name: str) -> list[str]:
        """A list of strings; empty where it is left out."""
        values = self._typed(name, list, "a list of strings") or []
        if not all(isinstance(value, str) for value in values):
            raise Refused(f"{name!r} has to be a list of strings")
        return list(values)

    def tags(self, name: str) -> dict[str, str] | None:
        """An object of strings, or None."""
        values = self._typed(name, dict, "an object of strings")
        if values is not None and not all(isinstance(value, str) for value in values.values()):
            raise Refused(f"{name!r} has to be an object of strings")
        return values

    def object(self, name: str) -> JsonObject | None:
        """An object of anything, or None."""
        return self._typed(name, dict, "an object")

    def actor(self) -> Actor:
        """Who acts: `{"name", "kind": user|application, "upn", "id", "appId", "ip"}`; else Robin."""
        members = self._typed("actor", dict, "an object")
        if members is None:
            return ROBIN
        said = Body(members, "'actor'")
        kind = said.choice("kind", "user", "application")
        name = said.required("name")
        named = Actor.named(name, "application") if kind == "application" else Actor.named(name, "user")
        upn, object_id, app_id, ip = (said.text(each) for each in ("upn", "id", "appId", "ip"))
        said.done()
        return Actor(
            name, object_id or named.object_id, named.kind, app_id or named.app_id, upn or "", ip or named.ip
        )

    def done(self) -> None:
        """Refuse members that nobody asked for."""
        if unknown := sorted(set(self._members) - self._known):
            raise Refused(
                f"{self._where} has unknown {', '.join(unknown)}; known: {', '.join(sorted(self._known))}"
            )

    def _typed(self, name: str, kind: type[T], called: str) -> T | None:
        self._known.add(name)
        value = self._members.get(name)
        if value is not None and not isinstance(value, kind):
            raise Refused(f"{name!r} has to be {called}")
        return value


def permissions(body: Body) -> list[JsonObject]:
    """The one permission block of a custom role, out of its four lists."""
    names = ("actions", "notActions", "dataActions", "notDataActions")
    return [{name: body.texts(name) for name in names} | {"condition": None, "conditionVersion": None}]
