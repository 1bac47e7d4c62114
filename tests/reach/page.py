"""docs/reach.md: what each class of a role's reach means, how grave it is where, and which roles have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from lami import settings
from lami.core.ids import Level, ResourceId
from lami.core.policy import WORDS, Policy, parse
from lami.core.roles import POWERS, Power
from tests.reach.roles import Line

PAGE = Path(__file__).parent.parent.parent / "docs" / "reach.md"
_SUBSCRIPTION = "/subscriptions/11111111-1111-1111-1111-111111111111"
LADDER: Mapping[Level, ResourceId] = {
    Level.TENANT: ResourceId("/"),
    Level.MANAGEMENT_GROUP: ResourceId("/providers/Microsoft.Management/managementGroups/contoso"),
    Level.SUBSCRIPTION: ResourceId(_SUBSCRIPTION, "contoso-prod"),
    Level.RESOURCE_GROUP: ResourceId(f"{_SUBSCRIPTION}/resourceGroups/rg-orders"),
    Level.RESOURCE: ResourceId(
        f"{_SUBSCRIPTION}/resourceGroups/rg-orders/providers/Microsoft.KeyVault/vaults/kv-orders"
    ),
}
"""A scope on each rung."""
_RUNGS = (Level.SUBSCRIPTION, Level.RESOURCE_GROUP, Level.RESOURCE)
"""The rungs that severities differ on; what is wider than a subscription is as one."""

_MEANINGS: Mapping[Power, str] = {
    "grants-access": (
        "writes role assignments (also by privileged-identity requests) or role definitions, or elevates "
        "its own access. Whoever holds it can take everything below. A condition on the permission or on the "
        "assignment that restricts which assignments may be made takes the class away; one that speaks of "
        "anything else, or that does not parse, does not, nor does one beside a block without a condition."
    ),
    "writes-all": "writes every type of resource of every provider, as `*` and `*/write` do.",
    "takes-identity": (
        "writes logic apps; writes sites or their slots, their code, settings or publishing, or reads their "
        "publishing credentials; assigns user-assigned identities; or writes federated credentials. The "
        "holder acts as those identities, with all that they may do. Running code on a machine, cluster, "
        "runbook or container that carries an identity is left out."
    ),
    "reads-secrets": (
        "reads secrets, private keys or certificates with their keys out of Key Vault (or decrypts with "
        "them), reads the secrets of a Kubernetes cluster, or calls what answers with a key, password, "
        "connection string, cluster credential or callback URL: `listKeys`, `listSecrets`, `listCallbackUrl` "
        "and their like. Not in it: reading (`*/read`), public keys, wrapping keys, and minting a key for "
        "oneself. Nor is managing a vault, as Key Vault Contributor does, though its holder can open to "
        "himself a vault that works with access policies."
    ),
    "writes-provider": "writes every type of resource of one provider, as `Microsoft.Network/*` does.",
    "data-all": "has all data of a provider: `Microsoft.X/*` or wider among its data actions.",
    "reads": "reads something, management or data.",
}


def page(lines: Sequence[Line]) -> str:
    """The whole page."""
    policy = parse("", settings.packaged_policy())
    return "\n".join(_page(policy, lines)) + "\n"


def _page(policy: Policy, lines: Sequence[Line]) -> Iterator[str]:
    yield "# How far a role reaches"
    yield ""
    yield "<!-- Made by `make reach` from tests/reach/golden.tsv and lami/policy.toml. Correct it there. -->"
    yield ""
    yield (
        "lami judges a role by what it can do, not by its name: its actions less its notActions, data "
        "actions likewise, all its blocks added up. What it can do falls into classes, and a class has a "
        "severity by the scope that the role is granted at. A role of several classes makes one finding, "
        "the gravest. "
        "Your own policy can change every severity (`[broad]`, see [Policy](reference.md#policy)). "
        f"What follows is the packaged policy, and Azure's {len(lines)} built-in roles; custom roles are "
        "judged in the same way."
    )
    yield ""
    yield "## Classes and severities"
    yield ""
    yield from _table(
        ("class", "its holder", "subscription and wider", "resource group", "resource", "built-in roles"),
        (
            (
                f"`{power}`",
                WORDS[power],
                *_severities(policy, (power,)),
                str(sum(power in line.classes for line in lines)),
            )
            for power in POWERS
        ),
    )
    yield ""
    yield (
        "The rungs of the ladder are tenant root, management group, subscription, resource group and "
        "resource. A grant at the root or at a management group is as grave as one at a subscription, and is "
        "called by its own name:"
    )
    yield ""
    for level, scope in LADDER.items():
        judged = policy.reach(("grants-access",), scope)
        if judged is not None:
            yield f"- {level.words}: {judged[0]}, “{policy.why(judged[1], scope)}”"
    yield ""
    yield "## What the classes mean"
    yield ""
    for power in POWERS:
        yield f"- **`{power}`** {_MEANINGS[power]}"
    yield ""
    yield from _conditional(lines)
    yield "## Built-in roles that are a finding somewhere"
    yield ""
    yield "Each stands under its gravest class, with the severity that it has at each scope."
    yield ""
    for power in POWERS:
        yield from _section(policy, power, [line for line in lines if line.classes[:1] == (power,)])
    yield from _rest(policy, lines)


def _conditional(lines: Sequence[Line]) -> Iterator[str]:
    marked = [line for line in lines if line.conditional]
    free = [line for line in lines if "grants-access" in line.classes]
    yield "## Who grants access, and who only what a condition names"
    yield ""
    yield f"{len(free)} built-in roles can grant anyone access: {_names(free)}."
    yield ""
    yield (
        f"{len(marked)} more may write role assignments, and a condition on their permissions restricts "
        f"which. They do not count as granting access: {_names(marked)}."
    )
    yield ""


def _section(policy: Policy, power: Power, lines: Sequence[Line]) -> Iterator[str]:
    found = [line for line in lines if any(_severities(policy, line.classes))]
    if not found:
        return
    yield f"### `{power}`: {WORDS[power]}"
    yield ""
    rows = (
        (
            _text(line.name) + (" (conditional)" if line.conditional else ""),
            ", ".join(line.classes[1:]),
            *_severities(policy, line.classes),
        )
        for line in sorted(found, key=lambda line: line.name.lower())
    )
    yield from _table(("role", "and", "subscription and wider", "resource group", "resource"), rows)
    yield ""


def _rest(policy: Policy, lines: Sequence[Line]) -> Iterator[str]:
    quiet = [line for line in lines if not any(_severities(policy, line.classes))]
    reading = [line for line in quiet if line.classes]
    yield "## The others"
    yield ""
    yield (
        f"{len(reading)} built-in roles only read or do something narrow besides, and "
        f"{len(quiet) - len(reading)} only do something narrow. They are a finding nowhere, Reader included."
    )


def _severities(policy: Policy, classes: tuple[Power, ...]) -> tuple[str, ...]:
    judged = (policy.reach(classes, LADDER[rung]) for rung in _RUNGS)
    return tuple("" if each is None else each[0] for each in judged)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _names(lines: Iterable[Line]) -> str:
    return ", ".join(sorted((_text(line.name) for line in lines), key=str.lower))


def _text(name: str) -> str:
    return name.strip().replace("|", "\\|")
