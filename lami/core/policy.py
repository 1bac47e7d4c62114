"""What matters: reach by scope and its severity, grace, exceptions, automation and routes, parsed from TOML.

`parse` lays a file over the packaged one (`lami/policy.toml`, which explains every key), table by table,
checks the whole and names every fault at once. A `Policy` answers questions and knows no clock: whoever
asks says what time it is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, TypeVar, get_args

from msgspec import Struct, field

from lami.core.ids import Level, ResourceId, digest, guid
from lami.core.model import SEVERITIES, Finding, Found, Severity
from lami.core.roles import POWERS, Power
from lami.errors import BadSettings

RULES: tuple[str, ...] = (
    "identity-churn",
    "broad-grant",
    "orphaned-assignment",
    "missing-grant",
    "condition-weakened",
    "role-widened",
    "secret-authentication",
    "unsecured-secret",
    "dangling-identity",
    "audience-mismatch",
    "ungranted-identity",
    "shared-identity",
    "lami-gap",
)
"""All rules, each detected by one file of `lami.detectors`."""
CHANNELS: tuple[str, ...] = ("console", "email", "event-grid", "sentinel", "teams", "webhook")

_REQUIRED = ("rule", "reason", "owner", "until")
_OF_A_GRANT = ("principal", "scope", "role")
EXACT: Mapping[str, tuple[str, ...]] = {
    "identity-churn": ("subject", "what"),
    "broad-grant": _OF_A_GRANT,
    "orphaned-assignment": _OF_A_GRANT,
    "missing-grant": ("subject", "scope", "role"),
    "lami-gap": ("what",),
    "role-widened": ("role",),
    "condition-weakened": _OF_A_GRANT,
    "shared-identity": ("subject",),
    "ungranted-identity": ("subject",),
    "secret-authentication": ("subject",),
    "unsecured-secret": ("subject",),
    "dangling-identity": ("subject",),
    "audience-mismatch": ("subject",),
}
"""By rule, what an exception must name: whom the finding is about, and what exactly is excepted of it."""
NARROWER: Mapping[str, tuple[str, ...]] = {
    "identity-churn": ("principal",),
    "broad-grant": ("assignment",),
    "orphaned-assignment": ("assignment",),
    "missing-grant": ("principal",),
    "lami-gap": ("scope",),
    "condition-weakened": ("assignment",),
    "ungranted-identity": ("principal",),
}
"""By rule, what an exception may name beside that, to cover less."""
_BINDING = ("subject", "principal", "scope", "role", "assignment", "what")
_IDS = ("scope", "assignment")
_WORDED = ("rule", "reason", "owner", *_BINDING)
_AUTOMATION = ("created-by", "name", "reason", "grants")
_NOBODY = "00000000-0000-0000-0000-000000000000"

_WATCH = ("principals", "new-grants", "owner-tag", "environment-tag")

Principals = Literal["all", "holders"]
NewGrants = Literal["record", "alert"]
AutomationGrants = Literal["record", "temporary", "alert"]
_PRINCIPALS: tuple[Principals, ...] = get_args(Principals)
_NEW_GRANTS: tuple[NewGrants, ...] = get_args(NewGrants)
_AUTOMATION_GRANTS: tuple[AutomationGrants, ...] = get_args(AutomationGrants)
_Rung = Literal["subscription", "resource-group", "resource"]
_RUNGS: tuple[_Rung, ...] = get_args(_Rung)
_TABLES = ("watch", "grace", "broad", "severity", "exception", "automation", "routes")
Read = TypeVar("Read")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d{1,5})([smhd])", re.ASCII)
WORDS: Mapping[Power, str] = {
    "grants-access": "can grant anyone access",
    "writes-all": "can change every resource",
    "takes-identity": "can act as the managed identities it manages",
    "reads-secrets": "can read keys and secrets",
    "writes-provider": "can change every resource of a provider",
    "data-all": "can use all the data of a provider",
    "reads": "can read",
}
"""What the holder of each class can do, as titles and documents say it."""


class PolicyException(Struct, frozen=True):
    """A suppression that somebody answers for. What is empty binds to any.

    `subject` is the id of whom a finding is about, `what` a churn's change or a gap's kind; `role` is a
    role's name, or its id by its GUID. From `until` on it no longer counts. `all` says that it is meant to be
    wide.
    """

    rule: str
    reason: str
    owner: str
    until: datetime
    subject: str = ""
    principal: str = ""
    scope: str = ""
    role: str = ""
    assignment: str = ""
    what: str = ""
    all: bool = False

    @property
    def key(self) -> str:
        """What tells it from any other, and from itself once a word of it was changed."""
        return digest(*(str(getattr(self, name)) for name in self.__struct_fields__), length=16)

    @property
    def words(self) -> str:
        """What it excepts, as a line of the timeline says it: `broad-grant of role Owner`."""
        named = [f"{name} {getattr(self, name)}" for name in _BINDING if getattr(self, name)]
        return f"{self.rule} of {', '.join(named) or 'all'} ({self.reason}; {self.owner})"

    def binds(self, about: Found | Finding) -> bool:
        """Whether it is about a finding, whatever the time."""
        detail = about.detail
        principal = detail.get("principalId") or detail.get("previousPrincipalId", "")
        roles = (detail.get("roleName", "").lower(), guid(detail.get("roleDefinitionId", "")))
        what = detail.get("change") or detail.get("gap", "")
        return (
            about.rule == self.rule
            and (not self.subject or about.subject.id.lower() == self.subject.lower())
            and (not self.principal or principal.lower() == self.principal.lower())
            and (not self.scope or ResourceId(detail.get("scope", "?")) == ResourceId(self.scope))
            and (not self.role or (guid(self.role) or self.role.lower()) in roles)
            and (
                not self.assignment
                or ResourceId(detail.get("assignmentId", "?")) == ResourceId(self.assignment)
            )
            and (not self.what or what.lower() == self.what.lower())
        )

    def covers(self, about: Found | Finding, now: datetime) -> bool:
        """Whether it excepts a finding now."""
        return now < self.until and self.binds(about)


class Automation(Struct, frozen=True):
    """Something that makes role assignments by itself, and what becomes of them.

    `grants`: `record` puts them on the timeline and alerts nobody; `temporary` is the same for what ends by
    itself, so that it is never expected either; `alert` only shows who made them.
    """

    name: str
    reason: str
    grants: AutomationGrants = "record"


class Policy(Struct, frozen=True):
    """What matters, as the operator says it.

    `broad` is class -> rung -> severity; `automation` is by the object id of the creator, in lower case.
    """

    watch_principals: Principals = "all"
    new_grants: NewGrants = "record"
    owner_tag: str = "owner"
    environment_tag: str = "environment"
    grace: Mapping[str, timedelta] = field(default_factory=dict)
    broad: Mapping[str, Mapping[str, Severity]] = field(default_factory=dict)
    severities: Mapping[str, Severity] = field(default_factory=dict)
    exceptions: tuple[PolicyException, ...] = ()
    automation: Mapping[str, Automation] = field(default_factory=dict)
    routes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def reach(self, powers: tuple[str, ...], scope: ResourceId) -> tuple[Severity, Power] | None:
        """The gravest severity that these powers have at this scope, and the power it is for.

        None where the table has no line for it, which means no finding. Of two equally grave powers, the
        one that stands first in `POWERS`.
        """
        rung = _rung(scope)
        lines = ((self.broad.get(power, {}), power) for power in POWERS if power in powers)
        found = [(line[rung], power) for line, power in lines if rung in line]
        return min(found, key=lambda pair: SEVERITIES.index(pair[0]), default=None)

    def why(self, power: Power, scope: ResourceId) -> str:
        """The reason in words: `can grant anyone access, at resource group rg-orders`."""
        return f"{WORDS[power]}, at {scope.short}"

    def severity(self, rule: str) -> Severity:
        """The severity of a rule that the policy speaks of, else medium."""
        return self.severities.get(rule, "medium")

    @property
    def version(self) -> str:
        """A short name of all that it says: two files that say the same have one version."""
        return digest(_plainly(self), length=16)

    def covering(self, about: Found | Finding, now: datetime) -> tuple[PolicyException, ...]:
        """The exceptions that cover a finding, in the file's order. All that one names must agree."""
        return tuple(one for one in self.exceptions if one.covers(about, now))

    def channels(self, rule: str, severity: Severity, configured: tuple[str, ...]) -> tuple[str, ...]:
        """The configured channels to tell: by rule, else by severity, else all of them (never silence)."""
        named = self.routes.get(rule, self.routes.get(severity, configured))
        return tuple(channel for channel in configured if channel in named)


def worst(*severities: Severity) -> Severity:
    """The gravest of some severities."""
    return min(severities, key=SEVERITIES.index)


def duration(text: str) -> timedelta:
    """A time span such as `0s`, `90s`, `5m`, `6h` or `2d`; raises ValueError for anything else."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(f'"{text}" is no duration such as "90s", "5m", "6h" or "2d"')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def parse(text: str, packaged: str) -> Policy:
    """The policy of a file laid over the packaged one; raises `BadSettings` that names every fault."""
    base, own = _loaded(packaged), _loaded(text)
    reader = _Reader([])
    policy = reader.policy({table: _laid(base.get(table), own.get(table)) for table in {*base, *own}})
    if reader.faults:
        raise BadSettings("the policy is wrong: " + "; ".join(reader.faults), tuple(reader.faults))
    return policy


def _loaded(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        fault = f"the policy is no TOML: {error}"
        raise BadSettings(fault, (fault,)) from error


def _laid(base: object, own: object) -> object:
    if isinstance(base, dict) and isinstance(own, dict):
        return {**base, **own}
    return base if own is None else own


def _plainly(value: object) -> str:
    """A policy as text, in an order that does not depend on its file's."""
    if isinstance(value, Struct):
        return _plainly({name: getattr(value, name) for name in value.__struct_fields__})
    if isinstance(value, Mapping):
        return repr(sorted((str(key), _plainly(held)) for key, held in value.items()))
    if isinstance(value, tuple):
        return repr([_plainly(one) for one in value])
    return repr(value)


def _written(value: object) -> str:
    """A wrong value as its fault shows it."""
    try:
        return f"{value!r:.60}"
    except ValueError:  # hexadecimal in the file, and beyond what Python writes in decimal
        return "a number of thousands of digits"


def _rung(scope: ResourceId) -> _Rung:
    if scope.level <= Level.SUBSCRIPTION:
        return "subscription"
    return "resource-group" if scope.level is Level.RESOURCE_GROUP else "resource"


class _Reader(Struct, frozen=True):
    """Reads the tables and goes on after a fault, so that all of them are named together.

    `place` is always the table and key as the file's author knows them. What is wrong reads as None.
    """

    faults: list[str]

    def policy(self, file: Mapping[str, object]) -> Policy:
        """The policy of a whole file; worth something only while there are no faults."""
        self.table("table", file, _TABLES)
        watch = self.table("[watch]", file.get("watch", {}), _WATCH)
        principals = self.choice("[watch] principals", watch.get("principals", "all"), _PRINCIPALS)
        new_grants = self.choice("[watch] new-grants", watch.get("new-grants", "record"), _NEW_GRANTS)
        grace = self.table("[grace]", file.get("grace", {}), RULES)
        broad = self.table("[broad]", file.get("broad", {}), POWERS)
        severities = self.table("[severity]", file.get("severity", {}), RULES)
        if "broad-grant" in severities:
            self.fault("[severity] broad-grant", "its severities stand in [broad], by class and scope")
        routes = self.table("[routes]", file.get("routes", {}), (*SEVERITIES, *RULES))
        return Policy(
            watch_principals=principals or "all",
            new_grants=new_grants or "record",
            owner_tag=self.text("[watch] owner-tag", watch.get("owner-tag", "owner")) or "owner",
            environment_tag=self.text("[watch] environment-tag", watch.get("environment-tag", "environment"))
            or "environment",
            grace=self.each("[grace]", grace, self.duration),
            broad=self.each("[broad]", broad, self.line),
            severities=self.each("[severity]", severities, self.severity),
            exceptions=self.exceptions(file.get("exception", [])),
            automation=self.automation(file.get("automation", [])),
            routes=self.each("[routes]", routes, self.route),
        )

    def fault(self, place: str, what: str) -> None:
        self.faults.append(f"{place}: {what}")

    def table(self, place: str, value: object, keys: tuple[str, ...]) -> Mapping[str, object]:
        """A table without its unknown keys."""
        if not isinstance(value, dict):
            self.fault(place, "is no table")
            return {}
        for key in value:
            if key not in keys:
                self.fault(f"{place} {key}", f"unknown (known: {', '.join(keys)})")
        return {key: value[key] for key in value if key in keys}

    def each(
        self, place: str, table: Mapping[str, object], read: Callable[[str, object], Read | None]
    ) -> dict[str, Read]:
        values = {key: read(f"{place} {key}", value) for key, value in table.items()}
        return {key: value for key, value in values.items() if value is not None}

    def choice(self, place: str, value: object, options: tuple[Read, ...]) -> Read | None:
        for option in options:
            if option == value:
                return option
        self.fault(place, f"{_written(value)} is none of {', '.join(map(str, options))}")
        return None

    def text(self, place: str, value: object) -> str | None:
        if isinstance(value, str) and value.strip():
            return value.strip()
        self.fault(place, "is no text, or empty")
        return None

    def duration(self, place: str, value: object) -> timedelta | None:
        try:
            return duration(value if isinstance(value, str) else _written(value))
        except ValueError as error:
            self.fault(place, str(error))
            return None

    def severity(self, place: str, value: object) -> Severity | None:
        return self.choice(place, value, SEVERITIES)

    def line(self, place: str, value: object) -> dict[str, Severity] | None:
        return self.each(place, self.table(place, value, _RUNGS), self.severity)

    def route(self, place: str, value: object) -> tuple[str, ...] | None:
        if not isinstance(value, list):
            self.fault(place, "is no list of channels")
            return None
        return tuple(channel for name in value if (channel := self.choice(place, name, CHANNELS)))

    def exceptions(self, value: object) -> tuple[PolicyException, ...]:
        if not isinstance(value, list):
            self.fault("[[exception]]", "is no array of tables: write it in double brackets")
            return ()
        read = (self.exception(f"[[exception]] {number}", one) for number, one in enumerate(value, 1))
        return tuple(exception for exception in read if exception is not None)

    def exception(self, place: str, value: object) -> PolicyException | None:
        table = self.table(place, value, (*_REQUIRED, *_BINDING, "all"))
        for key in _REQUIRED:
            if key not in table:
                self.fault(f"{place} {key}", "is missing")
        given: dict[str, str] = self.each(
            place, {key: table[key] for key in table if key in _WORDED}, self.text
        )
        until = self.until(f"{place} until", table["until"]) if "until" in table else None
        everything = table.get("all", False)
        if not isinstance(everything, bool):
            self.fault(f"{place} all", "is neither true nor false")
        rule = self.choice(f"{place} rule", given["rule"], RULES) if "rule" in given else None
        if rule is not None:
            self.bound(place, rule, table, wide=everything is not False)
        self.bindings(place, given)
        if until is None or any(key not in given for key in ("rule", "reason", "owner")):
            return None
        return PolicyException(until=until, all=everything is True, **given)

    def bound(self, place: str, rule: str, table: Mapping[str, object], *, wide: bool) -> None:
        """Check that an exception names what its rule's findings have, and all that makes it exact."""
        exact = EXACT[rule]
        known = (*exact, *NARROWER.get(rule, ()))
        for key in _BINDING:
            if key in table and key not in known:
                self.fault(f"{place} {key}", f"{rule} has none (it has: {', '.join(known)})")
        left = [key for key in exact if key not in table]
        if left and not wide:
            self.fault(
                place,
                f"names no {' and no '.join(left)}, and would hide a later, different problem: name it, or"
                " write all = true",
            )

    def bindings(self, place: str, given: Mapping[str, str]) -> None:
        """Check what an exception names, each by itself."""
        for key in _BINDING:
            if "*" in given.get(key, "") or "?" in given.get(key, ""):
                self.fault(f"{place} {key}", "wildcards are not supported: name one thing whole")
        if guid(given.get("principal", _NOBODY)) != given.get("principal", _NOBODY).lower():
            self.fault(f"{place} principal", "is no GUID")
        for key in _IDS:
            if not given.get(key, "/").startswith("/"):
                self.fault(f"{place} {key}", "is no resource id: it begins with /")

    def automation(self, value: object) -> dict[str, Automation]:
        if not isinstance(value, list):
            self.fault("[[automation]]", "is no array of tables: write it in double brackets")
            return {}
        found: dict[str, Automation] = {}
        first: dict[str, str] = {}
        for number, one in enumerate(value, 1):
            place = f"[[automation]] {number}"
            ids, automation = self.automaton(place, one)
            for id in ids:
                if id in first:
                    self.fault(f"{place} created-by", f"{id} stands in {first[id]} already")
                first.setdefault(id, place)
                if automation is not None:
                    found.setdefault(id, automation)
        return found

    def automaton(self, place: str, value: object) -> tuple[list[str], Automation | None]:
        table = self.table(place, value, _AUTOMATION)
        for key in ("created-by", "name", "reason"):
            if key not in table:
                self.fault(f"{place} {key}", "is missing")
        name = self.text(f"{place} name", table["name"]) if "name" in table else None
        reason = self.text(f"{place} reason", table["reason"]) if "reason" in table else None
        grants = self.choice(f"{place} grants", table.get("grants", "record"), _AUTOMATION_GRANTS)
        ids = self.object_ids(f"{place} created-by", table["created-by"]) if "created-by" in table else []
        if name is None or reason is None or grants is None:
            return ids, None
        return ids, Automation(name, reason, grants)

    def object_ids(self, place: str, value: object) -> list[str]:
        """Object ids as GUIDs in lower case, and nothing that is none: a name can be chosen by anybody."""
        if not isinstance(value, list) or not value:
            self.fault(place, "is no list of object ids, or an empty one")
            return []
        ids = []
        for one in value:
            if isinstance(one, str) and one and guid(one) == one.lower():
                ids.append(one.lower())
            else:
                self.fault(place, f"{_written(one)} is no GUID: write the creator's object id")
        return ids

    def until(self, place: str, value: object) -> datetime | None:
        """The end of a day in UTC, or an exact time that says its offset."""
        if isinstance(value, datetime) and value.tzinfo is not None:
            try:
                return value.astimezone(UTC)
            except OverflowError:
                self.fault(place, "has no time in UTC")
                return None
        if isinstance(value, date) and not isinstance(value, datetime):
            return datetime.combine(value, time.max, UTC)
        self.fault(place, "is no date such as 2027-01-31, nor a time with an offset")
        return None
