"""`lami findings`: what is open, and what was."""

from __future__ import annotations

from collections.abc import Iterator

import click

from lami.channels import console
from lami.channels.channel import Alert
from lami.channels.text import shown
from lami.cli.exits import DRIFT, FailOn, drifted, fail_on
from lami.cli.opening import answers_nothing, opened
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
_LINE, _SHOWN = 1_000, 80


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
        said = "" if found else answers_nothing(lami, "No finding answers.")
    out.show([finding_json(one) for one in found], _COLUMNS)
    if said:
        out.voice.say(said)
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
        raise Permanent(f"there is no finding {id[:_SHOWN]}; see `lami findings list --status all`")
    out.tell(finding_json(found), _COLUMNS, _text(found, link))


def _text(finding: Finding, link: str) -> str:
    """The finding as the console channel tells it, after what has become of it since."""
    became = "; ".join(shown(part, _LINE) for part in _became(finding))
    alert = Alert(finding.id, finding.thread, (finding,), link)
    return f"{became}\n{console.render(alert).rstrip()}"


def _became(finding: Finding) -> Iterator[str]:
    """When it opened, and whichever followed: an acceptance, an exception, its end."""
    yield f"opened {time_json(finding.opened_at)}"
    if finding.accepted is not None:
        one = finding.accepted
        end = f" until {time_json(one.until)}" if one.until else ""
        yield f"accepted {time_json(one.at)} by {one.by}{end}: {one.reason}"
    elif finding.resolved_at is not None:
        yield f"resolved {time_json(finding.resolved_at)}"
    if finding.suppressed is not None:
        by = finding.suppressed
        yield f"excepted by {by.owner} until {time_json(by.until)}: {by.reason}"
