"""What lami holds of an identity holder: a logic app, a slot of one, or a user-assigned identity."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from lami.core.ids import ResourceId
from lami.core.model.principal import GrantLine
from lami.core.model.seen import Attached, Definition, HolderKind
from lami.core.model.subject import Term
from lami.core.model.who import Cause


class Granted(Struct, frozen=True):
    """What a principal last said it holds: version of its book, and its grants in the order of their ids."""

    version: int
    grants: tuple[GrantLine, ...] = ()


class IdentityNews(Struct, frozen=True):
    """What an attached user-assigned identity last said of itself to an app.

    `heard` is false as long as it had not heard itself what its principal is granted.
    """

    version: int
    principal: str
    grants: tuple[GrantLine, ...] = ()
    heard: bool = True


class User(Struct, frozen=True):
    """What a user-assigned identity knows of an app: whether it attaches it, and the app's environment."""

    app: ResourceId
    version: int
    attaches: bool
    environment: str = ""


class Carried(Struct, frozen=True):
    """The identities a holder has at one time: its system principal and its attached identities."""

    system: str = ""
    attached: tuple[Attached, ...] = ()


class Arrived(Struct, frozen=True):
    """What an app that came after the baseline had when it was first seen: its user-assigned identities.

    `identities` are their keys, `at` and `cause` when and because of what it was first seen.
    """

    identities: frozenset[str]
    at: datetime
    cause: Cause


class FailedRuns(Struct, frozen=True):
    """How many runs of a workflow, started between two times, have failed; `more` than were counted."""

    since: datetime
    until: datetime
    count: int
    more: bool = False


class Posture(Struct, frozen=True):
    """What is held of an app's workflow definition (`lami.core.posture`).

    `shown` is what was last seen of it, None where it never was; `since` and `cause` are those of its last
    change. `stood` and `accepted` are keys of places: what stood when the baseline was taken is listed and
    alerts nobody, what was accepted is expected.
    """

    shown: Definition | None = None
    since: datetime | None = None
    cause: Cause | None = None
    stood: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()


class Persisting(Struct, frozen=True):
    """What a rule objects to for as long as it stands (`lami.core.persisting`): places, since when and why.

    Of the places, `stood` are those that stood when the baseline was taken, `accepted` those expected.
    """

    places: frozenset[str] = frozenset()
    since: datetime | None = None
    cause: Cause | None = None
    stood: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()


class HolderState(Struct, frozen=True):
    """What is held of an identity holder.

    `known` says that it has a baseline. `newest` is the newest time told or seen of the resource, `seen` the
    time of the newest state seen, `created` that state's creation time and `born` the baseline's. `based` is
    the time of the state that the baseline was taken of. `gone_at` is the time of a believed absence.
    `deleted_since` says that a delete was told or seen since the baseline last moved. `granted` has what each
    principal it ever carried last said. `systems` counts the system identities that it has had. `arrived` is
    None where nobody need know what it came with. `environment` is the tag that the policy names; `ungranted`
    says that its identity is on for nothing, `shared` across which borders apps share it.
    """

    kind: HolderKind = "logicApp"
    known: bool = False
    present: bool = False
    newest: datetime | None = None
    seen: datetime | None = None
    created: datetime | None = None
    born: datetime | None = None
    based: datetime | None = None
    gone_at: datetime | None = None
    deleted_since: bool = False
    owner: str = ""
    environment: str = ""
    oddity: str = ""
    systems: int = 0
    failed_runs: FailedRuns | None = None
    ungranted: Persisting = Persisting()
    shared: Persisting = Persisting()
    baseline: Carried = Carried()
    observed: Carried = Carried()
    churned_at: datetime | None = None
    churn_cause: Cause | None = None
    arrived: Arrived | None = None
    posture: Posture = Posture()
    terms: Mapping[str, Term] = field(default_factory=dict)
    granted: Mapping[str, Granted] = field(default_factory=dict)
    users: Mapping[str, User] = field(default_factory=dict)
    identities: Mapping[str, IdentityNews] = field(default_factory=dict)
