"""Email: an alert as one mail (plain text, and the same as simple HTML), over SMTP with STARTTLS.

The HTML is built as a tree, never as a string, so that every text in it is escaped by construction. In a
subject, what looks encoded is broken up, so that nobody decodes it.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from ipaddress import ip_address
from typing import ClassVar, NoReturn
from xml.etree.ElementTree import Element, SubElement, tostring

from msgspec import Struct

from lami.channels import console
from lami.channels.channel import Alert
from lami.channels.console import MAX_ITEMS
from lami.channels.relay import SmtpServer
from lami.channels.text import shown
from lami.channels.wording import commands, more, summary
from lami.core.ids import digest
from lami.core.model import Severity
from lami.errors import Permanent, Temporary

log = logging.getLogger(__name__)

TIMEOUT = 6.0
"""Seconds for connecting and for each answer of the mail server."""
_SUBJECT = 150
_LINE = 76
_ENCODED = "=?"
"""Begins an encoded word (RFC 2047), which may hold line breaks: headers of the attacker's own."""
_COLOURS: Mapping[Severity, str] = {
    "critical": "#a4262c",
    "high": "#c4314b",
    "medium": "#b35c00",
    "low": "#0f6cbd",
    "info": "#5c5c5c",
}
_SANS = "font-family:Segoe UI,Helvetica,Arial,sans-serif;font-size:14px;color:#242424"
_SUBTLE = "color:#616161;font-size:12px"
_MONO = "font-family:Consolas,Menlo,monospace;font-size:12px"


class Email(Struct, frozen=True):
    """Mails alerts through one relay, from one address to several."""

    server: SmtpServer
    sender: str
    recipients: tuple[str, ...]
    name: ClassVar[str] = "email"

    def send(self, alert: Alert) -> None:
        """Hand the mail to the relay. It is told once the relay took it for anybody.

        Sent again, it would reach those too who have it already: whom it was refused for is logged instead.
        """
        message = render(alert, self.sender, self.recipients)
        message["Date"] = format_datetime(datetime.now(UTC))
        try:
            with smtplib.SMTP(self.server.host, self.server.port, timeout=TIMEOUT) as relay:
                _secure(relay, self.server)
                refused = relay.send_message(message, parseaddr(self.sender)[1], self.recipients)
        except smtplib.SMTPRecipientsRefused as error:
            _refuse(error.recipients)
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPNotSupportedError as error:
            raise Permanent(f"the mail server cannot do what is needed: {error}") from None
        except UnicodeError:  # its message would quote the password
            raise Permanent("SMTP takes user name and password in ASCII only") from None
        except (smtplib.SMTPException, OSError) as error:
            # A certificate that does not verify is among these: it may be mended in time for the alert.
            raise Temporary(f"no mail server at {self.server.host} ({_reason(error)})") from None
        _report(alert.id, refused)


def render(alert: Alert, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The mail, without its date. The same alert has the same Message-ID; a thread is one conversation."""
    said = summary(alert)
    others = 0 if alert.is_digest else len(said.listed)
    domain = parseaddr(sender)[1].rpartition("@")[2] or "lami.invalid"
    thread = f"<{digest(alert.thread)}.thread@{domain}>"
    told = shown(said.headline, _SUBJECT).replace(_ENCODED, "= ?")
    message = EmailMessage(policy=SMTP)
    more_of_it = f" (+{others:,})" if others else ""
    message["Subject"] = _Subject(f"[lami] {said.severity.upper()}: {told}{more_of_it}")
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Message-ID"] = f"<{digest(alert.id)}@{domain}>"
    message["In-Reply-To"] = thread
    message["References"] = thread
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(console.render(alert), cte="quoted-printable")
    message.add_alternative(_html(alert), subtype="html", cte="quoted-printable")
    return message


class _Subject(str):
    """A subject that is folded as RFC 2047 says.

    Python's own header objects tear an encoded word apart, or put two together, where a text with an accent
    meets the end of a line: mail servers have refused such mail for good. `email.header` does neither. What
    has a name is a header object to a policy, which leaves the folding to it.
    Source: Python, `email.policy.EmailPolicy`; issues 89714 and 144156 of python/cpython.
    """

    name = "Subject"

    def fold(self, *, policy: EmailPolicy) -> str:
        """The header's lines, as they are sent."""
        lines = Header(self, header_name=self.name, maxlinelen=_LINE).encode(linesep=policy.linesep)
        return f"{self.name}: {lines}{policy.linesep}"


def _secure(relay: smtplib.SMTP, server: SmtpServer) -> None:
    """Turn on TLS and log in; refuse to go on in plain text to any other machine than this one."""
    if server.starttls:
        relay.starttls(context=ssl.create_default_context())
    elif relay.sock is None or not ip_address(relay.sock.getpeername()[0]).is_loopback:
        raise Permanent(f"{server.host} is not on this machine, so mail goes there with STARTTLS only")
    if server.user:
        relay.login(server.user, server.password)


def _report(alert: str, refused: Mapping[str, tuple[int, bytes]]) -> None:
    """Log who does not get the mail that the others got, and what the relay said of each."""
    for address, (code, said) in sorted(refused.items()):
        log.error(
            "the mail server took %s for the others and refused it for %s (%s), who is not sent it again; "
            "correct the address in LAMI_EMAIL_TO, or ask whoever runs that mailbox",
            alert,
            address,
            _answer(code, said),
        )


def _refuse(refused: Mapping[str, tuple[int, bytes]]) -> NoReturn:
    """Raise where the relay took it for nobody: `Temporary` if it may take any of them later."""
    code, said = min(refused.values(), key=lambda answer: answer[0])
    raise _failure(code, said, f" mail to {', '.join(sorted(refused))}")


def _failure(code: int, said: bytes | str, what: str = "") -> Temporary | Permanent:
    message = f"the mail server refused{what} ({_answer(code, said)})"
    return Permanent(message) if code >= 500 else Temporary(message)


def _answer(code: int, said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {shown(text, 200)}"


def _reason(error: Exception) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else type(error).__name__


def _html(alert: Alert) -> str:
    said, mend = summary(alert), commands(alert)
    page = Element("html")
    body = SubElement(SubElement(page, "body", style="margin:0;padding:16px"), "div", style=_SANS)
    colour = _COLOURS[said.severity]
    _add(body, "div", f"{said.severity.upper()} · {said.labels[0]}", f"color:{colour};font-weight:bold")
    border = f"font-size:19px;margin:4px 0 12px;padding-left:10px;border-left:4px solid {colour}"
    _add(body, "h1", said.headline, border)
    line = SubElement(body, "div")
    line.text = "by "
    name = SubElement(line, "b")
    name.text, name.tail = said.who.name, said.who.rest
    _add(body, "div", " · ".join(said.setting), _SUBTLE)
    table = SubElement(body, "table", style=f"{_SANS};margin:12px 0;border-spacing:0")
    for fact in said.facts:
        row = SubElement(table, "tr")
        _add(row, "td", fact.label, "color:#616161;padding:2px 16px 2px 0;vertical-align:top")
        _add(row, "td", fact.value, f"{_MONO if fact.exact else ''};padding:2px 0")
    for group in said.notes:
        _list(body, group.heading, group.lines, len(group.lines), "line", "")
    told = tuple(f"{one.severity.upper()} {one.rule}: {one.line}" for one in said.listed[:MAX_ITEMS])
    _list(body, said.heading, told, len(said.listed), "finding", "")
    _list(body, "How to mend it", mend.lines, mend.count, "command", _MONO)
    if alert.link.startswith(("https://", "http://")):
        SubElement(SubElement(body, "p"), "a", href=alert.link).text = "Open in lami"
    _add(body, "p", said.next, f"{_SUBTLE};margin-bottom:0")
    _add(body, "div", " · ".join(said.reading), _SUBTLE)
    return tostring(page, encoding="unicode", method="html")


def _list(parent: Element, heading: str, items: tuple[str, ...], of: int, what: str, style: str) -> None:
    if of == 0:
        return
    if heading:
        _add(parent, "h2", heading, "font-size:14px;margin:12px 0 4px")
    taken = items[:MAX_ITEMS]
    ul = SubElement(parent, "ul", style="margin:0;padding-left:20px")
    for item in taken:
        _add(ul, "li", item, style)
    if len(taken) < of:
        _add(ul, "li", more(of - len(taken), what), "color:#616161")


def _add(parent: Element, tag: str, text: str, style: str) -> None:
    SubElement(parent, tag, style=style).text = text
