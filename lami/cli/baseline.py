"""`lami baseline`: make what stands expected, and show what is expected."""

from __future__ import annotations

import click

from lami.cli.exits import leave
from lami.cli.opening import nothing_held, opened, operator
from lami.cli.output import Columns, Item, Output, output_options
from lami.cli.reports import show_report
from lami.queries import Expected
from lami.schedule import begin, take_baseline

_COLUMNS: Columns = {
    "KIND": "subject.kind",
    "NAME": "subject.name",
    "IDENTITY": "identity.[principalId, userAssigned[].id][]",
    "EXPECTED ACCESS": "access[].join(' at ', [roleName || roleDefinitionId, scope])",
    "ID": "subject.id",
}


@click.group()
def baseline() -> None:
    """Take, or show, what is expected.

    \b
    Example:
      lami baseline take
    """


@baseline.command()
@click.option(
    "--replace", is_flag=True, help="Also move what lami holds already, as accepting all of it would."
)
@click.option("--reason", default="", metavar="TEXT", help="Why; required with --replace.")
@output_options
def take(out: Output, replace: bool, reason: str) -> None:
    """Make what stands now in Azure expected, for every subject that lami does not hold yet.

    Exits 4 where some subscription could not be listed in full, 3 where none could. What stands in the others
    is expected all the same.

    \b
    Example: after a planned move of everything
      lami baseline take --replace --reason "moved to new identities, CHG-1234"
    """
    if replace != bool(reason.strip()):
        raise click.UsageError("--replace and --reason go together: a baseline that moves needs a reason.")
    with opened() as lami, out.voice.progress() as listen:
        begin(lami)
        report = take_baseline(lami, operator(), reason.strip(), listen)
        watched = lami.settings.subscriptions
    leave(show_report(out, report, watched))


@baseline.command()
@output_options
def show(out: Output) -> None:
    """Show what is expected of every logic app, identity and principal that lami holds.

    \b
    Example: the identities expected, as a script reads them
      lami baseline show --query "value[?identity].[subject.name, identity.principalId]" -o tsv
    """
    with opened() as lami:
        found = [_item(one) for one in lami.queries.baseline(sorted(lami.settings.subscriptions))]
        settings = lami.settings
    out.show(found, _COLUMNS)
    if not found:
        out.voice.say(nothing_held(settings))


def _item(expected: Expected) -> Item:
    subject, identity = expected.subject, expected.identity
    return {
        "subject": {"kind": subject.kind, "id": subject.id, "name": subject.name, "owner": subject.owner},
        "identity": None
        if identity is None
        else {
            "principalId": identity.system,
            "userAssigned": [{"id": a.identity.text, "principalId": a.principal} for a in identity.attached],
        },
        "access": [
            {
                "roleName": term.role_name,
                "roleDefinitionId": term.access.role,
                "scope": term.access.scope.text,
                "condition": term.access.condition,
            }
            for term in expected.access
        ],
    }
