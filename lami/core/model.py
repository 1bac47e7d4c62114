"""The nouns lami thinks in: what was told, what is seen, what is held, what is concluded.

All of it is frozen. Times are aware datetimes in UTC. Principals and roles are lower-case GUIDs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Generic, Literal, TypeVar

from msgspec import Struct, field
from msgspec.structs import force_setattr

from lami.core.ids import ResourceId, digest

# --- who and why -----------------------------------------------------------------------------------


class Actor(Struct, frozen=True):
    """Who did it, from the claims of an event. All of it is text an attacker may have chosen."""

    kind: Literal["user", "application", "lami", "unknown"] = "unknown"
    id: str = ""
    name: str = ""
    ip: str = ""


class Cause(Struct, frozen=True):
    """What set off a decision: findings of one cause are told together, in whichever books they stand."""

    id: str
    operation: str
    time: datetime
    correlation_id: str = ""
    actor: Actor = Actor()


class Change(Struct, frozen=True):
    """What we were told: one Event Grid event. A hint, never believed for state.

    `operation` is in lower case (`microsoft.logic/workflows/write`).
    """

    event_id: str
    resource: ResourceId
    operation: str
    time: datetime
    subscription: str
    actor: Actor = Actor()
    correlation_id: str = ""

    @property
    def deletes(self) -> bool:
        """Whether the operation removes the resource."""
        return self.operation.endswith("/delete")

    @property
    def cause(self) -> Cause:
        """The event as the cause of what follows from it."""
        return Cause(self.event_id, self.operation, self.time, self.correlation_id, self.actor)


# --- what ARM says ---------------------------------------------------------------------------------

State_co = TypeVar("State_co", covariant=True)


class Present(Struct, Generic[State_co], frozen=True):
    """ARM answered with the resource's state."""

    state: State_co


class Absent(Struct, frozen=True):
    """ARM answered that there is no such resource (404)."""


class Unknown(Struct, frozen=True):
    """ARM could not be asked, or did not answer in full. Never taken for absent.

    `retry_after` is in seconds, where ARM named it; `denied` is true for 401 and 403.
    """

    reason: str
    retry_after: float | None = None
    denied: bool = False


Look = Present[State_co] | Absent | Unknown


class Permission(Struct, frozen=True):
    """One block of a role definition. `condition` is ABAC text, empty where there is none."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    condition: str = ""


class RoleDefinition(Struct, frozen=True):
    """A role. `permissions` is None where the definition could not be read.

    `custom`: one of the tenant's own. `changed` is the time of its newest write, where Azure told one.
    """

    id: str
    name: str
    permissions: tuple[Permission, ...] | None
    custom: bool = False
    changed: datetime | None = None


class Access(Struct, frozen=True, dict=True):
    """What a grant allows, whoever holds it: a role at a scope, under a condition.

    Access is compared by this, not by assignment id: a successor's assignments have new ids.
    """

    role: str
    scope: ResourceId
    condition: str = ""

    @cached_property
    def key(self) -> str:
        """A short name of this access, the same in every book. No member: neither stored nor compared."""
        return digest(self.role, self.scope.key, self.condition)


class RoleAssignment(Struct, frozen=True):
    """A role assignment as ARM shows it now. `changed` is `updatedOn`, the time of its newest write."""

    id: ResourceId
    principal: str
    principal_type: str
    access: Access
    role: RoleDefinition
    created: datetime | None
    changed: datetime | None
    created_by: str = ""


HolderKind = Literal["logicApp", "userAssignedIdentity"]


class Attached(Struct, frozen=True):
    """A user-assigned identity that an app uses, with the principal the app's own reply names."""

    identity: ResourceId
    principal: str


PartKind = Literal["secret", "connector", "unsecured", "identity", "audience"]


class Part(Struct, frozen=True, order=True):
    """One thing that a workflow definition shows of secrets and identities.

    `where` is the name of an action, trigger or connection (`action Get_claims`). `what` is in words of
    lami's own, or the id of a user-assigned identity (`system` for the app's own): never text that stood
    where a secret stands.
    """

    kind: PartKind
    where: str
    what: str


class Definition(Struct, frozen=True):
    """What a workflow definition shows, in order; never the definition itself.

    `oddity` says in words what of it was not understood.
    """

    parts: tuple[Part, ...] = ()
    oddity: str = ""


class IdentityHolder(Struct, frozen=True):
    """A logic app (Consumption, Standard, slot) or a user-assigned identity as ARM shows it now.

    `system` is the principal of the system-assigned identity, or, of a user-assigned identity, its own.
    `created` and `changed` are None where the resource type tells no such time (user-assigned identities;
    sites have no `created`). `oddity` says in words what of the identity could not be understood.
    `definition` is None where the reply shows none: of a Standard logic app, an identity, or left out.
    """

    id: ResourceId
    kind: HolderKind
    system: str = ""
    attached: tuple[Attached, ...] = ()
    created: datetime | None = None
    changed: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    oddity: str = ""
    definition: Definition | None = None


# --- what lami holds -------------------------------------------------------------------------------

SubjectKind = Literal["holder", "principal", "role", "lami"]


class Subject(Struct, frozen=True, dict=True):
    """What a book is about. `id` is a holder's resource id, or a principal's or role's GUID.

    Compared by kind and `key`, so that a holder's id is found in any casing.
    """

    kind: SubjectKind
    id: str
    key: str = ""

    def __post_init__(self) -> None:
        """Derive the key."""
        force_setattr(self, "key", self.id.lower())

    def __eq__(self, other: object) -> bool:
        """Equal in any casing."""
        return isinstance(other, Subject) and other.key == self.key and other.kind == self.kind

    def __hash__(self) -> int:
        """By what equality goes by."""
        return hash((self.kind, self.key))

    def __lt__(self, other: Subject) -> bool:
        """By kind, then by key."""
        return (self.kind, self.key) < (other.kind, other.key)

    @cached_property
    def partition(self) -> str:
        """The partition of the table that is this subject's book."""
        return f"{self.kind}|{digest(self.key) if self.kind == 'holder' else self.key}"

    @cached_property
    def mark(self) -> str:
        """A short name of it that stands in the ids of its entries."""
        return digest(self.kind, self.key, length=12)


ITSELF = Actor("lami", "lami", "lami")
"""Who acts where nobody told lami to: its timers, its reconcile, its start."""
LAMI = Subject("lami", "lami")
"""lami itself: its book holds what it is blind to."""


class Term(Struct, frozen=True):
    """One access that the baseline knows, with how often it was accepted and withdrawn in turn.

    Expected while `count` is odd. Books exchange terms and keep the larger count of each, so a doubled,
    late or reordered message changes nothing. `missing_since` is a holder's: since when nobody gives it.
    """

    access: Access
    role_name: str
    count: int = 1
    missing_since: datetime | None = None
    missing_cause: Cause | None = None

    @property
    def expected(self) -> bool:
        """Whether the baseline expects this access."""
        return self.count % 2 == 1


class Grant(Struct, frozen=True):
    """A role assignment as the principal's book holds it; kept when gone, so that absence is remembered.

    `newest` is the newest time that lami was told or saw of it. `powers` are the classes of what the role
    can do (`lami.core.roles`); `readable` is false where the role definition could not be read and
    Microsoft's privileged list judged instead. `tolerated`: accepted although orphaned. `was` is the access
    that this very assignment gave when the baseline expected it, where its condition was changed since, and
    `unconditional` what the role could do without the condition, where that is more. `custom`: the role is
    one of the tenant's own.
    """

    id: ResourceId
    access: Access
    role_name: str
    powers: tuple[str, ...]
    readable: bool
    present: bool
    newest: datetime
    created: datetime | None
    changed: datetime | None
    created_by: str
    cause: Cause
    tolerated: bool = False
    was: Access | None = None
    unconditional: tuple[str, ...] = ()
    custom: bool = False


class Carrier(Struct, frozen=True):
    """What a principal's book knows of a holder that carries it or has shed it.

    `since` and `cause` are those of the last turn; `version` is that of the holder's newest message;
    `apps` are the names of the logic apps that use it, where it is a user-assigned identity.
    """

    holder: ResourceId
    kind: HolderKind
    owner: str
    carries: bool
    since: datetime
    cause: Cause
    version: int
    apps: tuple[str, ...] = ()


class Heard(Struct, frozen=True):
    """What is remembered of an assignment that was told of and never seen: a late look must not revive it."""

    newest: datetime
    gone: bool


Said = Literal["alive", "deleted", "denied"]
"""What the directory (Entra ID) says of a principal at one time: it is there; it was deleted and is kept,
to be restored; it is in neither place."""


class Standing(Struct, frozen=True):
    """What the directory last said of a principal, and since when it has said so (`lami.core.directory`).

    `gone` is concluded of denials only. `cause` is what made lami ask when it was first said.
    """

    said: Literal[Said, "gone"]
    since: datetime
    last: datetime
    cause: Cause


class PrincipalState(Struct, frozen=True):
    """What is held of a principal: its grants, the access accepted, and who carries it.

    `heard` are assignments that events told of as this principal's and that are not among the grants.
    `standing` is None where the directory was never asked, or never said anything but that it is alive.
    """

    type: str = ""
    grants: Mapping[str, Grant] = field(default_factory=dict)
    terms: Mapping[str, Term] = field(default_factory=dict)
    carriers: Mapping[str, Carrier] = field(default_factory=dict)
    heard: Mapping[str, Heard] = field(default_factory=dict)
    standing: Standing | None = None

    @property
    def gone(self) -> bool:
        """Whether the directory no longer has it."""
        return self.standing is not None and self.standing.said == "gone"

    @property
    def shed(self) -> bool:
        """Whether every holder that ever carried it has shed it (and there was one)."""
        return bool(self.carriers) and not any(c.carries for c in self.carriers.values())

    def expects(self, access: Access) -> bool:
        """Whether the baseline expects this access."""
        term = self.terms.get(access.key)
        return term is not None and term.expected


class GrantLine(Struct, frozen=True):
    """A present grant as books tell each other of it. `id` is the assignment's, `powers` as in `Grant`.

    `made` is when Azure made the assignment, where it told.
    """

    id: str
    access: Access
    role_name: str
    powers: tuple[str, ...] = ()
    made: datetime | None = None


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


class Held(Struct, frozen=True):
    """What a principal last said to a custom role: its name, and what it is granted of the role.

    `carried` says whether a holder carries the principal, or did.
    """

    name: str
    carried: bool
    version: int
    accesses: tuple[Access, ...] = ()


class RoleState(Struct, frozen=True):
    """What is held of a role definition: its name, the classes of what it can do, and who holds it.

    `newest` is the newest time told or seen of it, `seen` that of the newest state seen, `gone_at` that of a
    believed absence. `at` is the id under which it was seen. `observed` is what it allows now and `expected`
    what the baseline has, both in the form of `lami.core.definitions`; None where it was not seen (yet).
    `changed_at` and `change_cause` are those of the last change of what it allows.
    """

    name: str = ""
    powers: tuple[str, ...] = ()
    readable: bool = True
    newest: datetime | None = None
    custom: bool = False
    present: bool = False
    seen: datetime | None = None
    gone_at: datetime | None = None
    at: str = ""
    changed_at: datetime | None = None
    change_cause: Cause | None = None
    allowed: Mapping[str, tuple[Permission, ...]] = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)

    @property
    def observed(self) -> tuple[Permission, ...] | None:
        """What the role allows now; None where it is not there, or was not read."""
        return self.allowed.get("observed")

    @property
    def expected(self) -> tuple[Permission, ...] | None:
        """What the baseline has it allow; None where it has none."""
        return self.allowed.get("expected")

    @property
    def accesses(self) -> tuple[tuple[Held, Access], ...]:
        """All that is granted of it, with who holds it."""
        return tuple((held, access) for held in self.held.values() for access in held.accesses)


class Gap(Struct, frozen=True):
    """Something that lami does not see. `what` says so in words, with what to do next; `notes` say why.

    `since` is when that was first so; it `stands`, as a finding, once that has lasted long enough. A gap that
    nobody closes ends by itself at `until`.
    """

    what: str
    since: datetime
    cause: Cause
    notes: tuple[str, ...] = ()
    stands: bool = True
    until: datetime | None = None


class LamiState(Struct, frozen=True):
    """What lami holds of itself: its gaps by key, such as `unreadable/SUBSCRIPTION`.

    `unannounced` has, by subscription, when a run of reconcile last found what an event should have told.
    `noted` has what was noted once a version: of the policy in force, say.
    """

    gaps: Mapping[str, Gap] = field(default_factory=dict)
    unannounced: Mapping[str, datetime] = field(default_factory=dict)
    noted: Mapping[str, str] = field(default_factory=dict)


SubjectState = PrincipalState | HolderState | RoleState | LamiState

# --- what lami concludes ---------------------------------------------------------------------------

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""From the gravest to the lightest."""
Status = Literal["open", "resolved", "accepted", "suppressed"]


class FindingSubject(Struct, frozen=True):
    """Whom a finding is about, as a person and a program name it."""

    kind: Literal["logicApp", "userAssignedIdentity", "principal", "role", "lami"]
    id: str
    name: str
    owner: str = ""


class Found(Struct, frozen=True):
    """Drift that a detector objects to, before it is known whether a finding of it is open already.

    `key` names the drift within rule and subject: the same drift gives the same key. `telling` is what
    an alert said of it: a finding is told again when this changes. `since` is when the drift began: with
    a grace the finding opens only when the drift has stood that long. `holds` is the key of an access that
    the baseline must not take in while the drift stands.

    `places` are the keys of where the drift stands, for a rule that has one finding of several: then the
    finding is told again only when one is added. `standing` drift stood when the baseline was taken: its
    finding is listed, and alerts nobody.
    """

    rule: str
    key: str
    severity: Severity
    subject: FindingSubject
    title: str
    detail: Mapping[str, str]
    cause: Cause
    since: datetime
    telling: str = ""
    thread: str = ""
    holds: str = ""
    places: tuple[str, ...] = ()
    standing: bool = False
    notes: tuple[str, ...] = ()
    attack: tuple[str, ...] = ()
    remediation: tuple[str, ...] = ()


class Acceptance(Struct, frozen=True):
    """Who accepted a finding, why and (where the baseline was not moved) until when."""

    by: str
    reason: str
    at: datetime
    until: datetime | None = None


class Suppression(Struct, frozen=True):
    """The exception of the policy that suppresses a finding: why, who answers for it, and until when."""

    reason: str
    owner: str
    until: datetime


class Finding(Struct, frozen=True):
    """Drift that a detector objects to. Open exactly as long as the drift stands.

    `key` is the drift's (`Found.key`). `thread` ties alerts of one story together. `notes` are further
    sentences (what is stranded, what is missing). `revision` is the version of the book that last changed it.
    `met` has, by the key of each exception that covers it, what was told when they first met.
    `places` are those of the drift as it stands (`Found.places`).
    """

    id: str
    rule: str
    severity: Severity
    status: Status
    subject: FindingSubject
    title: str
    detail: Mapping[str, str]
    cause: Cause
    opened_at: datetime
    telling: str
    thread: str
    revision: int
    key: str = ""
    resolved_at: datetime | None = None
    accepted: Acceptance | None = None
    suppressed: Suppression | None = None
    met: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    attack: tuple[str, ...] = ()
    remediation: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    @property
    def actor(self) -> Actor:
        """Who did what the finding is about."""
        return self.cause.actor

    @property
    def runbook(self) -> str:
        """Where the steps to investigate stand, within the project's documentation."""
        return f"docs/runbooks/{self.rule}.md"


EntryKind = Literal[
    "observed", "opened", "resolved", "accepted", "suppressed", "told", "reconciled", "gap", "note"
]


class Entry(Struct, frozen=True):
    """One line of the timeline; only ever added; hash-chained within its subject (`lami.core.timeline`)."""

    id: str
    at: datetime
    kind: EntryKind
    subject: FindingSubject
    text: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    cause: Cause
    finding: str = ""
    hash: str = ""
    previous_hash: str = ""


# --- what is owed ----------------------------------------------------------------------------------

MessageKind = Literal["carries", "grants", "attached", "identity", "unannounced", "holds"]


class OwedAlert(Struct, frozen=True):
    """A finding that the channels routed to it have yet to be told; `left` names those still to do.

    `left` is None until a first try has routed it.
    """

    finding: str
    telling: str
    left: tuple[str, ...] | None = None


class OwedMessage(Struct, frozen=True):
    """A message to another book; its content is made from the sender's book when it is sent.

    `about` is the subscription that the message is about, where it is about one.
    """

    kind: MessageKind
    to: Subject
    about: str = ""


class OwedIndex(Struct, frozen=True):
    """What the index partitions have yet to get of a commit: copies of its entries and findings.

    `entries` says that there are entries; `findings` are ids; `digests` are the subscriptions in which
    something else of the subject was observed than before (empty text: above all subscriptions).
    """

    entries: bool = False
    findings: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


class OwedLook(Struct, frozen=True):
    """A re-check that has yet to be put into `due`: look again at this time."""

    at: datetime
    why: Literal["doubt", "grace", "until"]
    resource: str = ""


class Owed(Struct, frozen=True):
    """What one commit owes others because of one cause, in one outbox row. `id` names the row.

    `claimed_until` is set while a worker is telling the alerts, so that no other tells them too.
    """

    id: str
    cause: Cause
    alerts: tuple[OwedAlert, ...] = ()
    messages: tuple[OwedMessage, ...] = ()
    index: OwedIndex | None = None
    looks: tuple[OwedLook, ...] = ()
    claimed_until: datetime | None = None


class Book(Struct, frozen=True):
    """All that lami holds of one subject, with its version. Version 0 is a book nobody has written.

    `chain` is the hash of its newest entry, `entries` how many there are. `findings` are those not
    resolved, by id.
    """

    subject: Subject
    state: SubjectState
    version: int = 0
    chain: str = ""
    entries: int = 0
    findings: Mapping[str, Finding] = field(default_factory=dict)
    owed: tuple[Owed, ...] = ()


class Decision(Struct, frozen=True):
    """What one stimulus does to one book. Committed whole or not at all.

    `book` is the book as it will be. `resolved` are findings that leave it; `opened` are the ids of those
    that open. `owed` is what it adds to the book's debts. `doubt` says in words what was not believed.
    """

    book: Book
    entries: tuple[Entry, ...] = ()
    resolved: tuple[Finding, ...] = ()
    gate: str = ""
    opened: tuple[str, ...] = ()
    owed: Owed | None = None
    doubt: str = ""
