"""What must hold when a schedule has ended: each check names in words what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lami.audit import audited
from lami.core import definitions, digests
from lami.core.churn import ARRIVED
from lami.core.ids import ResourceId
from lami.core.messages import carried
from lami.core.model import (
    LAMI,
    Access,
    Book,
    Definition,
    Entry,
    Finding,
    Grant,
    HolderState,
    LamiState,
    PrincipalState,
    RoleState,
    Severity,
    Subject,
    Term,
)
from lami.core.persisting import TAKING
from lami.core.policy import worst
from lami.core.posture import place
from lami.store import rows
from lami.store.books import Books
from lami.store.index import Index
from lami.store.rows import HEAD, Head
from tests.simulation.azure import ALLOWS, CONTRIBUTOR, NARROW, ONLY, TIDY
from tests.simulation.directory import DIRECTORY_LAG

if TYPE_CHECKING:
    from tests.simulation.memory_table import MemoryTable
    from tests.simulation.world import World


def index(memory: MemoryTable) -> Index:
    """The index partitions, read past any fault."""
    return Index(memory)


def broken(world: World, checks: Sequence[Check] | None = None) -> list[str]:
    """What does not hold; empty where all is well."""
    held = Held.of(world)
    return [wrong for check in checks or CHECKS for wrong in check(held)]


@dataclass(frozen=True, slots=True)
class Held:
    """All books and entries (oldest first) at the end of a schedule, each read once."""

    world: World
    holders: dict[ResourceId, Book] = field(default_factory=dict)
    principals: dict[str, Book] = field(default_factory=dict)
    roles: dict[str, Book] = field(default_factory=dict)
    itself: list[Book] = field(default_factory=list)
    """lami's own book, where there is one."""
    entries: dict[Subject, list[Entry]] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    """As the index has them."""

    @staticmethod
    def of(world: World) -> Held:
        """Read everything, past any fault."""
        held, books = Held(world), Books(world.memory)
        for partition, found in world.memory.partitions.items():
            kind, _, id = partition.partition("|")
            if HEAD not in found:
                continue
            if kind == "holder":
                id = rows.unpack(found[HEAD].values, Head).id
                book = books.load(Subject("holder", id)).book
                held.holders[ResourceId(id)] = book
            elif kind == "principal":
                book = held.principals[id] = books.load(Subject("principal", id)).book
            elif kind == "role":
                book = held.roles[id] = books.load(Subject("role", id)).book
            else:
                book = books.load(LAMI).book
                held.itself.append(book)
            held.entries[book.subject] = books.entries(book.subject)[::-1]
        held.findings.update({one.finding.id: one.finding for one in index(world.memory).findings()})
        return held

    def books(self) -> list[Book]:
        """Every book."""
        return [*self.holders.values(), *self.principals.values(), *self.roles.values(), *self.itself]

    def lami(self) -> LamiState:
        """What lami holds of itself."""
        state = self.itself[0].state if self.itself else LamiState()
        assert isinstance(state, LamiState)
        return state

    def holder(self, id: ResourceId) -> HolderState:
        """What is held of a holder."""
        state = self.holders[id].state if id in self.holders else HolderState()
        assert isinstance(state, HolderState)
        return state

    def principal(self, id: str) -> PrincipalState:
        """What is held of a principal."""
        state = self.principals[id].state
        assert isinstance(state, PrincipalState)
        return state


# --- state equals ARM ------------------------------------------------------------------------------


def _unequal(held: Held) -> Iterator[str]:
    present = held.world.azure.present
    for id in held.holders.keys() | present.holders.keys():
        now, state = present.holders.get(id), held.holder(id)
        real = (now.system, sorted((a.identity.key, a.principal) for a in now.attached)) if now else ("", [])
        seen = state.observed.system, [(a.identity.key, a.principal) for a in state.observed.attached]
        if real != seen or state.present != (now is not None):
            yield f"{id.name}: holds {_brief(seen)}, ARM {_brief(real)}"
        shown = state.posture.shown
        # What came after the baseline and could not be read counts as a definition that has nothing in it.
        unread = now is not None and now.definition is None and shown == Definition()
        if now is not None and shown != now.definition and not unread:
            yield f"{id.name}: holds the definition {shown}, ARM {now.definition}"
    principals = held.principals.keys() | {one.principal for one in present.assignments.values()}
    for principal in principals:
        real_keys = {i.key for i, a in present.assignments.items() if a.principal == principal}
        keys = set()
        if principal in held.principals:
            keys = {k for k, g in held.principal(principal).grants.items() if g.present}
        if keys != real_keys:
            yield f"principal {principal[:8]}: holds {len(keys)} grants, ARM {len(real_keys)}"
    given = {one.role.id for one in present.assignments.values()}
    for role, book in held.roles.items():
        if held.world.unreported and role not in given:
            continue  # Reconcile sees the definitions of roles that somebody holds.
        known, real_one = book.state, present.roles[role]
        if isinstance(known, RoleState) and known.observed is None and not known.accesses:
            continue  # Heard of when nobody held it any longer: there is nothing to look at it for.
        if isinstance(known, RoleState) and known.observed != definitions.canonical(real_one.permissions):
            yield f"role {known.name}: holds that it allows {known.observed}, ARM {real_one.permissions}"


def _brief(identities: tuple[str, list[tuple[str, str]]]) -> str:
    return f"{identities[0][:8]} {[principal[:8] for _, principal in identities[1]]}"


# --- findings are exactly those that hold ----------------------------------------------------------


def _findings(held: Held) -> Iterator[str]:
    expected: Counter[tuple[str, str]] = Counter()
    watched = held.world.settings.subscriptions
    real = held.world.azure.present.assignments.values()
    for id, book in held.holders.items():
        holder = held.holder(id)
        if holder.known and _churned(holder):
            expected["identity-churn", id.key] += 1
        expected["identity-churn", id.key] += bool(list(_came_with(held, id)))
        carries = carried(holder, watched)
        given = [one.access for one in real if one.principal in carries]
        if carries:
            missing = sum(term.expected and not _serves(given, term.access) for term in holder.terms.values())
            expected["missing-grant", id.key] += missing
        for rule in (*_objected(held, id), *_persisting(held, id)):
            expected[rule, id.key] += 1
        assert book.subject.key == id.key
    for one in real:
        if one.principal not in held.principals:
            continue
        state = held.principal(one.principal)
        grant = state.grants.get(one.id.key)
        broad = one.role.id == CONTRIBUTOR.id or (one.role.id == TIDY.id and _reaches(grant))
        if _weakened(state, grant):
            expected["condition-weakened", one.principal] += 1
        elif broad and not _allowed(state.terms, one.access):
            expected["broad-grant", one.principal] += 1
        carried_by = [carrier.carries for carrier in state.carriers.values()]
        tolerated = grant is not None and grant.tolerated
        shed = bool(carried_by) and not any(carried_by)
        expected["orphaned-assignment", one.principal] += (shed or state.gone) and not tolerated
    expected["lami-gap", LAMI.key] += sum(gap.stands for gap in held.lami().gaps.values())
    for role, book in held.roles.items():
        expected["role-widened", role] += _widened(held, role, book)
    now = held.world.azure.now
    stands = [f for f in held.findings.values() if f.resolved_at is None]
    found = Counter((f.rule, f.subject.id.lower()) for f in stands)
    for key in found | expected:
        if found[key] != expected[key]:
            yield f"finding {key}: {found[key]} stand, {expected[key]} hold"
    for finding in stands:
        until = finding.accepted.until if finding.accepted else None
        if finding.rule == "lami-gap" and finding.accepted is not None and until is None:
            until = FOR_EVER  # There is no baseline to move: it is accepted as long as it lasts.
        if (finding.status == "accepted") != (until is not None and until > now - timedelta(minutes=1)):
            yield f"{finding.title} is {finding.status}, and its acceptance ends {until}"
        if finding.status == "accepted" and finding.id not in held.world.operator.accepted:
            yield f"{finding.title} was never accepted"


def _objected(held: Held, id: ResourceId) -> set[str]:
    """The rules that object to what an app's definition shows now, but for what is accepted."""
    now, accepted = held.world.azure.present.holders.get(id), held.holder(id).posture.accepted
    shown = now.definition.parts if now is not None and now.definition is not None else ()
    left = [part for part in shown if place(part) not in accepted]
    rules = {"secret-authentication"} if any(part.kind == "secret" for part in left) else set()
    dangles = any(part.kind == "identity" for part in left) and now is not None and not now.system
    return rules | {"dangling-identity"} if dangles else rules


def _persisting(held: Held, id: ResourceId) -> Iterator[str]:
    """The rules that object to an identity that is on for nothing, or carried across subscriptions."""
    present, state = held.world.azure.present, held.holder(id)
    now = present.holders.get(id)
    if now is None:
        return
    users = [one.id for one in present.holders.values() if any(a.identity == id for a in one.attached)]
    carries = carried(state, held.world.settings.subscriptions)
    granted = any(one.principal in carries for one in present.assignments.values())
    used = now.kind == "logicApp" or users
    idle = carries and used and not granted and not any(term.expected for term in state.terms.values())
    if idle and not state.ungranted.accepted:
        yield "ungranted-identity"
    if len({user.subscription for user in users}) > 1 and not state.shared.accepted:
        yield "shared-identity"


def _churned(state: HolderState) -> bool:
    """Whether its identities are others; that one of them has another principal is that one's own churn."""
    was, now = state.baseline, state.observed
    return was.system != now.system or {a.identity for a in was.attached} != {
        a.identity for a in now.attached
    }


def _grave(held: Held) -> Iterator[str]:
    """A churn is as grave as what the identities that came reach by what they held when they were seen to
    come; and nobody was last told that it is less."""
    policy = held.world.settings.policy
    for finding in held.findings.values():
        if finding.rule != "identity-churn" or finding.resolved_at is not None:
            continue
        usual = "low" if finding.detail["change"] == "added" else policy.severity(finding.rule)
        id = ResourceId(finding.subject.id)
        state = held.holder(id)
        born = finding.key.startswith(ARRIVED)
        wanted = worst(usual, *(_came_with(held, id) if born else _brought(held, state)))
        if finding.severity != wanted:
            yield f"{finding.title} is {finding.severity}, and what came reaches {wanted}"
        for channel in held.world.channels if finding.status == "open" else ():
            last = [f.severity for alert in channel.alerts for f in alert.findings if f.id == finding.id][-1:]
            if last and worst(last[0], finding.severity) != last[0]:
                yield f"{finding.title} is {finding.severity}, and {channel.name} was told {last[0]}"


FIRST_SIGHT = "is seen for the first time"


def _brought(held: Held, state: HolderState) -> Iterator[Severity]:
    """How grave each grant is that an identity brought which the baseline does not have."""
    had = {one.identity for one in state.baseline.attached}
    came = [one.identity for one in state.observed.attached if one.identity not in had]
    return _reaches_of(held, came, state.churned_at)


def _came_with(held: Held, id: ResourceId) -> Iterator[Severity]:
    """How grave each grant is of the identities that an app came with after the baseline, and still has.

    What it came with is what the timeline says of its first sight; it is over once somebody has accepted it.
    """
    if id not in held.holders or held.holder(id).kind != "logicApp":
        return
    for entry in held.entries[held.holders[id].subject]:
        finding = held.findings.get(entry.finding)
        if entry.kind == "accepted" and finding and finding.key.startswith(ARRIVED) and finding.resolved_at:
            return
    first = next((e for e in held.entries[held.holders[id].subject] if FIRST_SIGHT in e.text), None)
    if first is None or first.cause.operation == TAKING:
        return
    said = {ResourceId(one) for one in first.after.get("userAssignedIdentities", "").split(", ") if one}
    came = [one.identity for one in held.holder(id).observed.attached if one.identity in said]
    yield from _reaches_of(held, came, first.at)


def _reaches_of(held: Held, came: Sequence[ResourceId], seen: datetime | None) -> Iterator[Severity]:
    principals = {held.holder(one).observed.system for one in came}
    for one in held.world.azure.present.assignments.values():
        made = one.created
        if one.principal in principals and made is not None and seen is not None and made < seen:
            powers = held.principal(one.principal).grants[one.id.key].powers
            reach = held.world.settings.policy.reach(powers, one.access.scope)
            if reach is not None:
                yield reach[0]


def _one_place(one: Access, other: Access) -> bool:
    return (one.role, one.scope) == (other.role, other.scope)


def _above(one: Access, other: Access) -> bool:
    """Whether one's scope is the other's, or above it within its subscription."""
    inside = other.scope.key.startswith(f"{one.scope.key}/") and bool(one.scope.subscription)
    return one.scope == other.scope or inside


def _serves(given: Sequence[Access], wanted: Access) -> bool:
    """Whether something is given that allows as much, or other things, at the same place or above it."""
    found = [ONLY[one.condition] for one in given if one.role == wanted.role and _above(one, wanted)]
    return any(not allows < ONLY[wanted.condition] for allows in found)


def _allowed(terms: Mapping[str, Term], access: Access) -> bool:
    """Whether what is expected at the same place allows as much."""
    found = [ONLY[t.access.condition] for t in terms.values() if t.expected and _one_place(t.access, access)]
    return any(allows >= ONLY[access.condition] for allows in found)


def _weakened(state: PrincipalState, grant: Grant | None) -> bool:
    """Whether the condition of what was expected allows more now; it is its book that knows what was."""
    if grant is None or not grant.present or grant.was is None:
        return False
    term = state.terms.get(grant.was.key)
    return term is not None and term.expected and not _allowed(state.terms, grant.access)


def _widened(held: Held, id: str, book: Book) -> bool:
    """Whether a role that somebody holds allows more than what its book expects."""
    assert isinstance(book.state, RoleState)
    present, was = held.world.azure.present, book.state.expected
    given = any(one.role.id == id for one in present.assignments.values())
    now = definitions.canonical(present.roles[id].permissions)
    return given and was is not None and not ALLOWS[now] <= ALLOWS[was]


def _reaches(grant: Grant | None) -> bool:
    """A role that was changed is judged as it was when its assignment was last looked at."""
    return grant is not None and "writes-all" in grant.powers


def _called(held: Held) -> Iterator[str]:
    """A subscription is called as it once was, or by its id; and a finding by the name that its book has.

    Wherever else names changed anything, one of the other checks says so.
    """
    names = held.world.azure.names
    for principal in held.principals:
        for grant in held.principal(principal).grants.values():
            scope = grant.access.scope
            if scope.called and scope.called not in names[scope.subscription]:
                yield f"{scope} is called {scope.called!r}, which it never was"
    for finding in held.findings.values():
        if finding.resolved_at is None and finding.subject.id in held.principals:
            grants = held.principal(finding.subject.id).grants
            scope = grants[ResourceId(finding.detail["assignmentId"]).key].access.scope
            if scope.short not in finding.title:
                yield f"{finding.title}: its scope is {scope.short}"


# --- what lami is blind to -------------------------------------------------------------------------

FOR_EVER = datetime.max.replace(tzinfo=UTC)


def _blind(held: Held) -> Iterator[str]:
    """Nothing is unreadable in the end; events are missed only where two runs within a day found drift.

    What reconcile finds of a subscription stands on the timeline as `reconciled`, with when its run began.
    """
    found: dict[str, set[datetime]] = {}
    for book in held.books():
        for entry in held.entries[book.subject]:
            if entry.kind == "reconciled":
                places = [entry.subject.id, entry.before.get("scope", ""), entry.after.get("scope", "")]
                for where in {ResourceId(place).subscription for place in places}:
                    found.setdefault(where, set()).add(entry.cause.time)
    for key, gap in held.lami().gaps.items():
        kind, _, where = key.partition("/")
        runs = sorted(found.get(where, ()))
        twice = any(later - earlier <= timedelta(days=1) for earlier, later in pairwise(runs))
        if kind == "directory":
            if _witnessed(held):
                yield f"{gap.what}: somebody who must be there is"
        elif kind != "events":
            yield f"{gap.what}: it can be read"
        elif not twice or not held.world.unreported:
            yield f"{gap.what}: {len(runs)} runs found something"


def _witnessed(held: Held) -> bool:
    """Whether the directory shows anybody that a present holder carries."""
    world, now = held.world, held.world.azure.now
    if world.directory is None:
        return True
    return any(world.directory.state(one, now) == "alive" for one in world.azure.systems_at(now))


# --- whom the directory has ------------------------------------------------------------------------


def _standing(held: Held) -> Iterator[str]:
    """Gone is said of nobody who was not, and in the end of everybody who is: where that can be proven.

    Whoever was deleted just before the first denial and restored just before the second is not told apart:
    one replica does not show it any more, or not yet, and the other does not keep it yet, or no more.
    """
    world, directory = held.world, held.world.directory
    if directory is None:
        return
    for principal, book in held.principals.items():
        denied: datetime | None = None
        for entry in held.entries[book.subject]:
            said, asked = entry.after.get("directory"), entry.cause.time
            if said == "gone" and not directory.was(principal, "purged", asked - DIRECTORY_LAG, asked):
                both = [asked] if denied is None else [denied, asked]
                if not all(directory.turned(principal, at - DIRECTORY_LAG, at) for at in both):
                    yield f"{principal[:8]} was called gone at {entry.at}, and was not"
            if said is not None:
                denied = asked if said == "denied" else None
    if not _witnessed(held):
        return
    for principal in {one.principal for one in world.azure.present.assignments.values()}:
        standing = held.principal(principal).standing
        said = standing.said if standing is not None else "alive"
        truth = {"purged": "gone"}.get(state := directory.state(principal, world.azure.now), state)
        if said != truth:
            yield f"{principal[:8]} is {truth} in the directory, and held to be {said}"


# --- what is expected ------------------------------------------------------------------------------


def _expected(held: Held) -> Iterator[str]:
    """Nothing broad becomes expected by itself; what is narrow does; what is accepted as missing does not."""
    operator, azure = held.world.operator, held.world.azure
    for book in held.books():
        state = book.state
        if isinstance(state, RoleState | LamiState):
            continue
        for key, term in state.terms.items():
            broad = term.expected and term.access.role == CONTRIBUTOR.id
            if broad and key not in operator.sanctioned and not _narrower(term.access, operator.sanctioned):
                yield f"{book.subject.id} expects {term.role_name}, which nobody accepted"
    for (holder, key), at in operator.withdrawn.items():
        term = held.holder(ResourceId(holder)).terms[key]
        if term.expected and not azure.ever_assigned(term.access, at - held.world.memory_of_azure):
            yield f"{holder} still expects {term.role_name}, whose absence was accepted"
    for one in azure.present.assignments.values():
        if one.principal in held.principals and one.role.id == NARROW.id:
            state = held.principal(one.principal)
            found = state.terms.get(one.access.key)
            carried_now = any(carrier.carries for carrier in state.carriers.values())
            # What is objected to of one assignment is not expected of another that gives the same.
            same = [g for g in state.grants.values() if g.access == one.access]
            held_back = any(_weakened(state, grant) for grant in same)
            if carried_now and not held_back and not (found and found.expected):
                yield f"{one.principal[:8]} was granted {one.role.name}, and it is not expected"
    for id, keys in held.world.at_first.items():
        for key in keys - operator.perhaps_withdrawn:
            found = held.holder(id).terms.get(key)
            if not (found and found.expected):
                yield f"{id.name} no longer expects what stood when the baseline was taken"


def _narrower(access: Access, sanctioned: set[str]) -> bool:
    """Whether access that was sanctioned allows as much at the same place."""
    return any(
        Access(access.role, access.scope, condition).key in sanctioned
        for condition, allows in ONLY.items()
        if allows >= ONLY[access.condition]
    )


def _remembered(held: Held) -> Iterator[str]:
    """Of what was expected from the start and changed in place it is known what it was; and a role that was
    held all the time, and that nobody accepted, is expected to allow no more than at first."""
    for principal, book in held.principals.items():
        state, begun = held.principal(principal), _conditions_at_first(held.entries[book.subject])
        # What another assignment gave at first is expected of this one, too.
        given = {replace(state.grants[key].access, condition=one).key for key, one in begun.items()}
        for key, condition in begun.items():
            grant = state.grants[key]
            term = state.terms.get(Access(grant.access.role, grant.access.scope, condition).key)
            expected = term is not None and term.count == 1 and grant.access.key not in given
            if grant.present and expected and grant.access.condition != condition and grant.was is None:
                yield f"{principal[:8]} forgot under which condition it was granted {grant.role_name}"
    azure, world = held.world.azure, held.world
    for id, book in held.roles.items():
        findings = (one for one in held.findings.values() if one.subject.id == id)
        accepted = any(one.id in world.operator.accepted for one in findings)
        first = world.roles_at_first.get(id)
        always = [azure.present.assignments.get(one) for one in world.held_at_first.get(id, ())]
        if first is None or accepted or not any(one is not None and one.role.id == id for one in always):
            continue
        assert isinstance(book.state, RoleState)
        was, now = ALLOWS[definitions.canonical(first.permissions)], book.state.expected
        if now is not None and not ALLOWS[now] <= was:
            yield f"role {id[:8]} is expected to allow {ALLOWS[now]}, at first {was}"


def _conditions_at_first(entries: list[Entry]) -> dict[str, str]:
    """By assignment, the condition that it had when the baseline was taken, if it was never made again."""
    first: dict[str, str] = {}
    for entry in entries:
        if entry.kind not in ("observed", "reconciled"):
            continue
        before, after = (words.get("assignmentId", "").lower() for words in (entry.before, entry.after))
        again = before == after and "; " not in entry.text and "is another now" not in entry.text
        if before and (before != after or again):
            first.pop(before, None)
        if after and not before and entry.cause.operation == "lami/baseline/take":
            first[after] = entry.after.get("condition", "")
        elif after and not before:
            first.pop(after, None)
    return first


def _disagreeing(held: Held) -> Iterator[str]:
    """What a principal accepts is expected by all that ever carried it, and the other way round by those
    that do; a holder knows what its principals are granted, and an app what its identities say."""
    for principal in held.principals:
        state = held.principal(principal)
        grants = sorted((g.id.key, g.powers) for g in state.grants.values() if g.present)
        for key, carrier in state.carriers.items():
            holder = held.holder(carrier.holder)
            said = holder.granted.get(principal)
            heard = sorted((ResourceId(line.id).key, line.powers) for line in said.grants) if said else []
            if heard != grants:
                yield f"{key} heard of the grants {heard} of {principal[:8]}, which has {grants}"
            if carrier.carries != (principal in carried(holder, held.world.settings.subscriptions)):
                yield f"{principal[:8]} takes itself for carried by {key}: {carrier.carries}"
            if not _covers(holder.terms, state.terms):
                yield f"{key} does not expect all that {principal[:8]} accepts"
            if carrier.carries and not _covers(state.terms, holder.terms):
                yield f"{principal[:8]} does not accept all that {key} expects"
    for role, book in held.roles.items():
        real = [one for one in held.world.azure.present.assignments.values() if one.role.id == role]
        granted = sorted((one.principal, one.access.key) for one in real if one.role.custom)
        assert isinstance(book.state, RoleState)
        told = sorted((p, access.key) for p, one in book.state.held.items() for access in one.accesses)
        if granted != told:
            yield f"role {role[:8]} heard that it is held {len(told)} times, and is {len(granted)} times"
    for id in held.holders:
        for attached in held.holder(id).observed.attached:
            identity = held.holder(attached.identity)
            user, news = identity.users.get(id.key), held.holder(id).identities.get(attached.identity.key)
            if user is None or not user.attaches:
                yield f"{attached.identity.name} does not know that {id.name} uses it"
            if news is None or news.principal != identity.observed.system:
                yield f"{id.name} does not know which principal {attached.identity.name} is"
            own = identity.granted.get(identity.observed.system)
            if news is not None and own is not None and news.grants != own.grants:
                yield f"{id.name} heard of other grants of {attached.identity.name} than it has"
        for user in held.holder(id).users.values():
            uses = any(a.identity == id for a in held.holder(user.app).observed.attached)
            if user.attaches != uses:
                yield f"{id.name} thinks that {user.app.name} uses it: {user.attaches}"


def _covers(mine: Mapping[str, Term], theirs: Mapping[str, Term]) -> bool:
    return all(key in mine and mine[key].count >= term.count for key, term in theirs.items())


def _no_news(held: Held) -> Iterator[str]:
    """What stood was shown at first, or by an app that went, and nobody is told of what always stood; what is
    accepted, somebody accepted."""
    azure = held.world.azure
    told = {id for channel in held.world.channels for id, _ in channel.told}
    for id, book in held.holders.items():
        posture = held.holder(id).posture
        first = next((e.at for e in held.entries[book.subject] if "for the first time" in e.text), None)
        at_first = {place(part) for part in azure.shown(id, first)} if first is not None else set()
        if posture.stood - at_first and not azure.was_deleted(id):
            yield f"{id.name} showed less at first than what is held to have stood"
        if _taken_with(held, book) and azure.never_redefined(id):
            for finding in held.findings.values():
                about = finding.rule == "secret-authentication" and finding.subject.id.lower() == id.key
                if about and finding.id in told and finding.id not in held.world.operator.accepted:
                    yield f"{finding.title}: it always stood, and was told"
        if posture.accepted:
            rules = {f.rule for f in held.findings.values() if f.id in held.world.operator.accepted}
            if not rules & {"secret-authentication", "dangling-identity"}:
                yield f"{id.name} expects what its definition shows, and nobody accepted it"


def _taken_with(held: Held, book: Book) -> bool:
    """Whether a holder was first seen when the baseline was taken; what comes later is news, whole."""
    first = next((e for e in held.entries[book.subject] if "for the first time" in e.text), None)
    return first is not None and first.cause.operation == TAKING


# --- alerts ----------------------------------------------------------------------------------------


def _untold(held: Held) -> Iterator[str]:
    """Every open finding was told to every channel since it opened, as it is."""
    opened = {e.finding: e.at for all in held.entries.values() for e in all if e.kind == "opened"}
    for channel in held.world.channels:
        told = set(channel.told)
        last = {telling.finding: telling.at for telling in channel.tellings}
        for finding in held.findings.values():
            if finding.status != "open" or _stood(held, finding):
                continue
            if (finding.id, finding.telling) not in told:
                yield f"{finding.rule} {finding.title}: {channel.name} was never told"
            elif finding.id in opened and last[finding.id] < opened[finding.id]:
                yield f"{finding.rule} {finding.title}: {channel.name} was not told again"


def _stood(held: Held, finding: Finding) -> bool:
    """Whether it only lists what stood with the baseline, or in an app that went."""
    if finding.subject.kind not in ("logicApp", "userAssignedIdentity"):
        return False
    state = held.holder(ResourceId(finding.subject.id))
    if finding.rule == "ungranted-identity":
        return bool(state.ungranted.stood)
    stood = state.shared.stood if finding.rule == "shared-identity" else state.posture.stood
    return bool(finding.places) and stood.issuperset(finding.places)


def _told_twice(held: Held) -> Iterator[str]:
    """A finding is told as often as it opened; once more only where something failed in between."""
    opened = Counter(e.finding for all in held.entries.values() for e in all if e.kind == "opened")
    for channel in held.world.channels:
        times: dict[str, list[int]] = {}
        for telling in channel.tellings:
            times.setdefault(telling.finding, []).append(telling.troubles)
        for id, troubles in times.items():
            explained = sum(late > early for early, late in pairwise(troubles))
            if len(troubles) > opened[id] + explained:
                yield f"{id}: {channel.name} was told {len(troubles)} times, and it opened {opened[id]} times"


# --- the timeline ----------------------------------------------------------------------------------


def _explained(held: Held) -> Iterator[str]:
    """Replaying a book's entries leads to its state: grants, identities, baseline, what is expected."""
    granted: dict[str, set[tuple[str, str]]] = {}
    for principal, book in held.principals.items():
        entries, state = held.entries[book.subject], held.principal(principal)
        present = _replayed_grants(entries)
        if present != {g.id.key for g in state.grants.values() if g.present}:
            yield f"the timeline of {principal[:8]} ends with {len(present)} grants"
        granted[principal] = {_access(e.after) for e in entries if e.after.get("assignmentId")}
    known: dict[ResourceId, set[tuple[str, str]]] = {}
    for id, book in held.holders.items():
        holder = held.holder(id)
        entries = held.entries[book.subject]
        observed, baseline, expected = _replayed_holder(entries, held.findings)
        if observed != _named(holder.observed.system, [a.identity.text for a in holder.observed.attached]):
            yield f"the timeline of {id.name} ends with the identities {observed}"
        if baseline != _named(holder.baseline.system, [a.identity.text for a in holder.baseline.attached]):
            yield f"the timeline of {id.name} ends with the baseline {baseline}"
        if expected != {_term(term) for term in holder.terms.values() if term.expected}:
            yield f"the timeline of {id.name} ends with {len(expected)} accesses expected"
        known[id] = {_access(e.after) for e in entries if "roleName" in e.after}
    for principal in held.principals:
        state = held.principal(principal)
        why = set(granted[principal])
        for carrier in state.carriers.values():
            why |= known[carrier.holder]
        for term in state.terms.values():
            if _term(term) not in why:
                yield f"no line says why {principal[:8]} accepts {term.role_name}"


def _gaps_explained(held: Held) -> Iterator[str]:
    """Replaying lami's own timeline leads to its gaps."""
    gaps: set[str] = set()
    for entry in held.entries.get(LAMI, []):
        if entry.kind == "gap":
            gaps.discard(entry.before.get("gap", ""))
            gaps |= {entry.after["gap"]} if "gap" in entry.after else set()
    if gaps != {gap.what for gap in held.lami().gaps.values() if gap.stands}:
        yield f"lami's own timeline ends with {len(gaps)} gaps"


def _replayed_grants(entries: list[Entry]) -> set[str]:
    present: set[str] = set()
    for entry in entries:
        if entry.kind in ("observed", "reconciled"):
            present.discard(entry.before.get("assignmentId", "").lower())
            if "assignmentId" in entry.after:
                present.add(entry.after["assignmentId"].lower())
    return present


def _replayed_holder(
    entries: list[Entry], findings: Mapping[str, Finding]
) -> tuple[tuple[str, str], tuple[str, str], set[tuple[str, str]]]:
    observed = baseline = ("", "")
    expected: set[tuple[str, str]] = set()
    for entry in entries:
        if entry.kind in ("observed", "reconciled"):
            if "roleName" in entry.after:
                change = expected.discard if "no longer expected" in entry.text else expected.add
                change(_access(entry.after))
            elif entry.before or entry.after:
                after = entry.after
                observed = after.get("principalId", ""), after.get("userAssignedIdentities", "")
            if "for the first time" in entry.text:
                baseline = observed
        elif entry.kind == "accepted" and " accepted until " not in entry.text and entry.finding:
            finding = findings[entry.finding]
            if finding.rule == "identity-churn":
                baseline = observed
            elif finding.rule == "missing-grant":
                expected.discard(_access(finding.detail))
    return observed, baseline, expected


def _named(system: str, attached: list[str]) -> tuple[str, str]:
    return system, ", ".join(attached)


def _access(words: Mapping[str, str]) -> tuple[str, str]:
    return words["roleDefinitionId"], f"{words['scope'].lower()} {words.get('condition', '')}"


def _term(term: Term) -> tuple[str, str]:
    return term.access.role, f"{term.access.scope.text.lower()} {term.access.condition}"


# --- nothing lost, nothing twice -------------------------------------------------------------------


def _returned(held: Held) -> Iterator[str]:
    """No grant comes back from the dead: said to be there more often than Azure made it, it is there.

    A look that was wrong may be corrected by a later one. Where a replica lags for longer than patience, what
    it shows is believed, as ARM's last word.
    """
    azure = held.world.azure
    if held.world.memory_of_azure > held.world.settings.patience:
        return
    made = azure.times_made()
    for principal, book in held.principals.items():
        came, present = Counter[str](), set[str]()
        for entry in held.entries[book.subject]:
            if entry.kind not in ("observed", "reconciled"):
                continue
            before, after = (words.get("assignmentId", "").lower() for words in (entry.before, entry.after))
            if before != after:
                present.discard(before)
            if after and after not in present:
                present.add(after)
                came[after] += 1
                more = came[after] > made[principal, after]
                if more and not azure.is_assigned(principal, after, entry.at):
                    yield f"{after} came back to {principal[:8]} at {entry.at}, and is not there"


def _doubled(held: Held) -> Iterator[str]:
    """The line of an event that changed nothing stands once, however often the event came."""
    lines: Counter[tuple[object, ...]] = Counter(
        (entry.subject.id, entry.cause.id, entry.text, *entry.before.items(), *entry.after.items())
        for entries in held.entries.values()
        for entry in entries
        if entry.kind == "observed" and "; " in entry.text
    )
    for line, times in lines.items():
        if times > 1:
            yield f"{line[2]} stands {times} times"


def _copied(held: Held) -> Iterator[str]:
    """The index holds each entry once and each finding as its book has it; nothing is owed any longer."""
    copies: Counter[str] = Counter()
    for partition in held.world.memory.partitions:
        if partition.startswith("day|"):
            for row in held.world.memory.query(partition):
                copies.update(entry.id for entry in rows.unpack_entries(row))
    entries = Counter(entry.id for all in held.entries.values() for entry in all)
    for id in copies | entries:
        if copies[id] > 1 or entries[id] != 1 or not (copies[id] or held.world.given_up):
            yield f"entry {id} stands {entries[id]} times in its book, {copies[id]} times in the index"
    standing = {finding.id: finding for book in held.books() for finding in book.findings.values()}
    for id in standing.keys() | {f.id for f in held.findings.values() if f.resolved_at is None}:
        if standing.get(id) != held.findings.get(id):
            yield f"finding {id}: book and index differ"
    listed = {one.finding.id: one.finding for one in index(held.world.memory).standing()}
    if listed != {id: one for id, one in held.findings.items() if one.resolved_at is None}:
        yield "the index lists others as standing than those that have not ended"
    for book in held.books():
        # What an event that was given up left owed is paid with the next stimulus; what it says of Azure,
        # reconcile has found, and whether that was told everywhere is asked by the other checks.
        if book.owed and not held.world.given_up:
            yield f"{book.subject.kind} {book.subject.id} still owes {len(book.owed)} commits' debts"


def _chains(held: Held) -> Iterator[str]:
    """All that `lami verify` reads: chains, and what questions read of them."""
    memory = held.world.memory
    for fault in audited(Books(memory), index(memory)).faults:
        yield f"{fault.kind} {fault.id}: {fault.why}"


def _digested(held: Held) -> Iterator[str]:
    """The digests are of what the books hold: reconcile finds nothing where nothing differs."""
    found = index(held.world.memory)
    for subscription in (*held.world.settings.subscriptions, "", digests.DIRECTORY):
        remembered = found.digests(subscription)
        for book in held.books():
            if subscription == digests.DIRECTORY and book.subject.kind != "principal":
                continue
            if book.subject.kind == "holder" and not book.subject.id.lower().startswith(
                f"/subscriptions/{subscription}/"
            ):
                continue
            digest = digests.of_book(book, subscription)
            if remembered.get(book.subject, digests.NOTHING) != digest:
                yield f"the digest of {book.subject.kind} {book.subject.id} is not of what its book holds"


Check = Callable[[Held], Iterator[str]]
DIGESTS: tuple[Check, ...] = (_digested,)
CHECKS: tuple[Check, ...] = (
    _unequal,
    _findings,
    _called,
    _grave,
    _blind,
    _standing,
    _expected,
    _remembered,
    _disagreeing,
    _no_news,
    _untold,
    _told_twice,
    _explained,
    _gaps_explained,
    _doubled,
    _returned,
    _copied,
    _chains,
)
