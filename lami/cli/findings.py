"""`lami findings`: what is open, and what was."""

from __future__ import annotations

import click

from lami.channels import console
from lami.channels.channel import Alert
from lami.channels.text import shown
from lami.cli.exits import DRIFT, FailOn, drifted, fail_on
from lami.cli.opening import opened
from lami.cli.output import Columns, Output, output_options
from lami.core.model import SEVERITIES, Finding
from lami.core.policy import RULES
from lami.core.shapes import finding_json, time_json
from lami.errors import Permanent
from lami.queries import FindingQuery

_STATUSES = ("open", "resolved", "accepted", "suppressed")
_COLUMNS: Columns = {
    "ID": "id",
    "SEVERITY": "severity",
    "STATUS": "status",
    "RULE": "rule",
    "SUBJECT": "subject.name",
    "OPENED": "openedAt",
    "TITLE": "title",
}
_LINE = 1_000


@click.group()
def findings() -> None:
    """List findings, or show one.

    \b
    Example:
      lami findings list --severity critical
    """


@findings.command("list")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice((*_STATUSES, "all")),
    default=("open",),
    show_default=True,
    help="May be given several times, as may the next two.",
)
@click.option(
    "--rule",
    "rules",
    multiple=True,
    type=click.Choice(RULES),
    metavar="RULE",
    help="Such as broad-grant.",
)
@click.option("--severity", "severities", multiple=True, type=click.Choice(SEVERITIES))
@click.option("--subject", default="", help="Name or id of a logic app, identity or principal.")
@fail_on
@output_options
def list_(
    out: Output,
    statuses: tuple[str, ...],
    rules: tuple[str, ...],
    severities: tuple[str, ...],
    subject: str,
    fail_on: FailOn,
) -> None:
    """List findings, open ones first, then the gravest.

    Exits 1 where one that is listed is open and as grave as --fail-on.

    \b
    Example: all that ever concerned one logic app
      lami findings list --status all --subject claims-intake
    """
    wanted = () if "all" in statuses else statuses
    with opened() as lami:
        found = lami.queries.findings(FindingQuery(wanted, rules, severities, subject))
    out.show([finding_json(one) for one in found], _COLUMNS)
    if not found:
        out.voice.say("No finding answers.")
    if drifted(found, fail_on):
        click.get_current_context().exit(DRIFT)


@findings.command("show")
@click.argument("id")
@output_options
def show(out: Output, id: str) -> None:
    """Show all of the finding ID, with the commands that mend it.

    \b
    Example:
      lami findings show f-3b0c9d1e
    """
    with opened() as lami:
        found = lami.queries.finding(id)
        link = lami.settings.public_url
    if found is None:
        raise Permanent(f"there is no finding {id}; see `lami findings list --status all`")
    out.tell(finding_json(found), _COLUMNS, _text(found, link))


def _text(finding: Finding, link: str) -> str:
    """The finding as the console channel tells it, after what has become of it since."""
    lines = [f"{finding.status} since {time_json(finding.opened_at)}"]
    if finding.resolved_at is not None:
        lines = [
            f"{finding.status}; open from {time_json(finding.opened_at)} to {time_json(finding.resolved_at)}"
        ]
    if finding.accepted is not None:
        end = f" until {time_json(finding.accepted.until)}" if finding.accepted.until else ""
        lines.append(f"accepted by {finding.accepted.by}{end}: {finding.accepted.reason}")
    if finding.suppressed is not None:
        one = finding.suppressed
        lines.append(f"excepted until {time_json(one.until)}: {one.reason} ({one.owner})")
    alert = Alert(finding.id, finding.thread, (finding,), link)
    return "\n".join([*(shown(line, _LINE) for line in lines), console.render(alert).rstrip()])
