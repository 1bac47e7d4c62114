"""Mails: harmless whatever is in them, one conversation a story, TLS to every other machine."""

from __future__ import annotations

import email
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from lami.channels.channel import Alert
from lami.channels.email import Email, render
from lami.channels.relay import SmtpServer
from lami.errors import Permanent, Temporary
from tests.channels import samples
from tests.channels.servers import Mailbox, certificate, smtp

SENDER, TO = "lami <lami@contoso.example>", ("oncall@contoso.example", "audit@contoso.example")


@pytest.fixture
def mailbox() -> Mailbox:
    """An empty mailbox."""
    return Mailbox()


@pytest.fixture
def plain(mailbox: Mailbox) -> Iterator[Email]:
    """The channel to a mail server on loopback, in plain text."""
    with smtp(mailbox) as port:
        yield Email(SmtpServer("127.0.0.1", port, starttls=False), SENDER, TO)


def _mail(alert: Alert) -> EmailMessage:
    return email.message_from_bytes(render(alert, SENDER, TO).as_bytes(), policy=default)


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_a_mail_says_all_of_it_twice() -> None:
    """Plain text and HTML both have headline, actor, facts, notes, commands and link."""
    mail = _mail(samples.redeploy())
    assert mail["Subject"].startswith("[lami] HIGH: claims-intake was recreated")
    assert mail["To"] == ", ".join(TO)
    for kind in ("plain", "html"):
        body = _part(mail, kind)
        for said in (samples.CHURN.title, "Dana Fischer", samples.OLD, "Stranded", "Missing", samples.LINK):
            assert said in body
        assert all(command in body for command in samples.CHURN.remediation)


def test_other_findings_are_counted_in_the_subject() -> None:
    """The subject is the gravest finding's, with how many more there are."""
    assert _mail(samples.several())["Subject"].endswith("at subscription contoso-prod (+4)")


def test_the_same_alert_has_the_same_ids_and_a_thread_is_a_conversation() -> None:
    """Message-ID follows the alert, References the thread; another alert of the thread joins it."""
    one, again = _mail(samples.redeploy()), _mail(samples.redeploy())
    later = _mail(replace(samples.redeploy(), id="a-later"))
    assert one["Message-ID"] == again["Message-ID"] != later["Message-ID"]
    assert one["References"] == later["References"] == one["In-Reply-To"]
    assert one["Message-ID"].endswith("@contoso.example>")


def test_hostile_text_makes_no_header_and_no_markup() -> None:
    """No header is smuggled in by a line break, no tag and no attribute by a name."""
    mail = _mail(samples.hostile())
    assert mail["Bcc"] is None
    assert "\\r\\nBcc" in mail["Subject"]
    page = _Tags(_part(mail, "html"))
    assert page.tags <= {"html", "body", "div", "h1", "h2", "b", "table", "tr", "td", "ul", "li", "p"}
    assert page.attributes <= {"style"}
    assert all(line.isprintable() for line in _part(mail, "plain").replace("\r\n", "\n").split("\n"))


@pytest.mark.parametrize("letter", ["w", "支", "<", "\n"])
def test_an_enormous_alert_is_a_readable_mail(letter: str) -> None:
    """10,000 findings of 100 KB names make a mail of moderate size that counts what it leaves out."""
    mail = render(samples.enormous(letter), SENDER, TO)
    assert len(mail.as_bytes()) < 1_000_000
    for kind in ("plain", "html"):
        assert "+9,949 more findings" in _part(mail, kind)


def test_plain_smtp_on_loopback_delivers(plain: Email, mailbox: Mailbox) -> None:
    """On this machine a relay without TLS may be used; the mail has a date."""
    plain.send(samples.several())
    [raw] = mailbox.mails
    arrived = email.message_from_bytes(raw, policy=default)
    assert arrived["Date"]
    assert arrived["Message-ID"] == _mail(samples.several())["Message-ID"]


def test_starttls_with_a_trusted_certificate_and_a_login_delivers(
    mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay's certificate is verified for its name before the password is said."""
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with smtp(mailbox, context) as port:
        Email(SmtpServer("localhost", port, "lami", "right"), SENDER, TO).send(samples.redeploy())
    assert len(mailbox.mails) == 1
    assert mailbox.logins == [b"lami"]


def test_an_untrusted_certificate_gets_no_mail_and_no_password(mailbox: Mailbox, tmp_path: Path) -> None:
    """A relay whose certificate does not verify is told nothing, and may be tried again."""
    context, _ = certificate(tmp_path)
    with smtp(mailbox, context) as port, pytest.raises(Temporary, match="certificate"):
        Email(SmtpServer("localhost", port, "lami", "right"), SENDER, TO).send(samples.redeploy())
    assert mailbox.mails == []
    assert mailbox.logins == []


def test_a_relay_without_starttls_is_refused(mailbox: Mailbox) -> None:
    """Where STARTTLS is asked for, plain text is no second choice."""
    with smtp(mailbox) as port, pytest.raises(Permanent):
        Email(SmtpServer("127.0.0.1", port), SENDER, TO).send(samples.redeploy())
    assert mailbox.mails == []


def test_a_wrong_password_is_permanent_and_not_repeated(
    mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused login is final, and neither the error nor the repr shows the password."""
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with smtp(mailbox, context) as port:
        channel = Email(SmtpServer("localhost", port, "lami", "wr0ng"), SENDER, TO)
        with pytest.raises(Permanent, match="535") as caught:
            channel.send(samples.redeploy())
    assert "wr0ng" not in str(caught.value) + repr(channel)


def test_a_password_that_smtp_cannot_say_is_permanent_and_not_shown(
    mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter outside ASCII is an error in words, without the password."""
    context, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with smtp(mailbox, context) as port, pytest.raises(Permanent, match="ASCII") as caught:
        Email(SmtpServer("localhost", port, "lami", "s€cret"), SENDER, TO).send(samples.redeploy())
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("refuse", "kind"),
    [
        ({TO[0]: "451 later", TO[1]: "452 full"}, Temporary),
        ({TO[0]: "550 unknown", TO[1]: "451 later"}, Temporary),
        ({TO[0]: "550 unknown", TO[1]: "553 unknown"}, Permanent),
        ({TO[1]: "421 closing"}, Temporary),
    ],
)
def test_a_mail_that_nobody_gets_says_whether_to_try_again(
    plain: Email, mailbox: Mailbox, refuse: dict[str, str], kind: type[Exception]
) -> None:
    """A recipient that may be taken later is worth another try; one that never will is named."""
    mailbox.refuse = refuse
    with pytest.raises(kind, match="contoso"):
        plain.send(samples.redeploy())
    assert mailbox.mails == []


@pytest.mark.parametrize("said", ["452 mailbox full", "550 unknown user"])
def test_one_refused_recipient_does_not_repeat_the_mail_to_the_others(
    plain: Email, mailbox: Mailbox, caplog: pytest.LogCaptureFixture, said: str
) -> None:
    """Whom the relay took has the mail, so it is told; who was refused is an error that says what to do."""
    mailbox.refuse = {TO[1]: said}
    plain.send(samples.redeploy())
    assert len(mailbox.mails) == 1
    [record] = caplog.records
    assert record.levelname == "ERROR"
    for told in (TO[1], said, samples.redeploy().id, "LAMI_EMAIL_TO"):
        assert told in record.getMessage()
    assert TO[0] not in record.getMessage()


def test_each_refused_recipient_is_named_with_its_own_answer(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """What the server said of one is not said of another; its words are shown harmlessly."""
    mailbox.refuse = {TO[0]: "550 unknown \x1b[31muser", TO[1]: "452 full"}
    with smtp(mailbox) as port:
        to = (*TO, "third@contoso.example")
        Email(SmtpServer("127.0.0.1", port, starttls=False), SENDER, to).send(samples.redeploy())
    told = {record.getMessage() for record in caplog.records}
    assert len(told) == 2
    assert any(TO[0] in one and "550 unknown" in one for one in told)
    assert any(TO[1] in one and "452 full" in one for one in told)
    assert "\x1b" not in "".join(told)


def test_no_relay_is_temporary() -> None:
    """A mail server that is down may come back."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Temporary):
        Email(SmtpServer("127.0.0.1", port, starttls=False), SENDER, TO).send(samples.redeploy())
