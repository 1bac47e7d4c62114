"""Settings from the environment: read once, checked whole, every fault named in one message."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeVar, get_args
from urllib.parse import SplitResult, unquote, urlsplit

from lami.channels.relay import SmtpServer
from lami.channels.targets import (
    TEAMS_HOSTS,
    TOPIC_HOSTS,
    LoopbackTargets,
    PublicTargets,
    Targets,
    is_loopback,
)
from lami.core.ids import guid
from lami.core.policy import Policy, duration, parse
from lami.errors import BadSettings

Credential = Literal["default", "none"]
Auth = Literal["none", "key", "easyauth"]

NAMES: Mapping[str, str] = {
    "LAMI_STORE": "where the baseline is kept",
    "LAMI_TABLE": "table name",
    "LAMI_SUBSCRIPTIONS": "subscription ids watched, comma-separated",
    "LAMI_ARM_ENDPOINT": "Azure Resource Manager",
    "LAMI_CREDENTIAL": "`default` (DefaultAzureCredential) or `none`",
    "LAMI_LOOPBACK": "`1`: loopback addresses may stand in for Azure and for channels",
    "LAMI_RECONCILE": "how often all subscriptions are compared",
    "LAMI_GRAPH_ENDPOINT": "Microsoft Graph, asked only where this is set",
    "LAMI_POLICY": "policy file",
    "LAMI_PATIENCE": "how long a look that contradicts its event is doubted",
    "LAMI_TEAMS_WEBHOOK_URL": "Workflows webhook",
    "LAMI_EMAIL_FROM": "sender of mails",
    "LAMI_EMAIL_TO": "receivers of mails, comma-separated",
    "LAMI_SMTP_URL": "`smtp://user:pass@host:587`, with STARTTLS",
    "LAMI_EVENTGRID_TOPIC_ENDPOINT": "custom topic that findings are published to",
    "LAMI_WEBHOOK_HOSTS": "further hosts that webhooks may go to, comma-separated",
    "LAMI_EVENT_KEY": "key that `POST /api/events` demands as `?code=`",
    "LAMI_AUTH": "who may use API and page: `none`, `key`, `easyauth`",
    "LAMI_API_KEY": "the key for `LAMI_AUTH=key`",
    "LAMI_PUBLIC_URL": "where alerts link to",
}
"""Every setting that is read, with its meaning; `docs/reference.md` is held to it."""
NOT_YET: Mapping[str, str] = {
    "LAMI_ACS_ENDPOINT": "Azure Communication Services",
    "LAMI_SENTINEL_ENDPOINT": "logs ingestion",
    "LAMI_SENTINEL_RULE_ID": "logs ingestion",
    "LAMI_SENTINEL_STREAM": "logs ingestion",
    "LAMI_WEBHOOK_URL": "generic webhook",
    "LAMI_WEBHOOK_SECRET": "generic webhook",
}
"""Settings of the contract whose feature isn't built: setting one is a fault, never silently ignored."""
GRAPH_HOSTS = (
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
)
"""Microsoft Graph in the public cloud, for the US government (two), and in China."""
_ELSEWHERE = frozenset({"LAMI_CASES", "LAMI_CORPUS", "LAMI_DELIVER_EVENTS"})
"""Used by tests and by deployment, never by the program."""
_MAIL = ("LAMI_EMAIL_FROM", "LAMI_EMAIL_TO", "LAMI_SMTP_URL")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TABLE = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")
_DEVELOPMENT = ("UseDevelopmentStorage=true", "DefaultEndpointsProtocol=", "AccountName=", "TableEndpoint=")
MOST_POLICY = 256 * 1024
"""Bytes of a policy file: its text is kept in a row of the table."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the environment says, checked. Secrets do not show in its repr.

    `policy_text` is the file that `policy` was read from. With `policy_faults` the file is wrong, and
    `policy` is none to go by: `lami.wiring` has the last good one, or refuses.
    """

    subscriptions: frozenset[str]
    store: str = field(default="sqlite:///lami.db", repr=False)
    table: str = "lami"
    arm_endpoint: str = "https://management.azure.com"
    graph_endpoint: str = ""
    credential: Credential = "default"
    loopback: bool = False
    reconcile: timedelta = timedelta(hours=6)
    patience: timedelta = timedelta(minutes=2)
    policy: Policy = field(default_factory=Policy)
    policy_text: str = field(default="", repr=False)
    policy_faults: tuple[str, ...] = ()
    targets: Targets = field(default_factory=PublicTargets)
    teams_webhook_url: str = field(default="", repr=False)
    email_from: str = ""
    email_to: tuple[str, ...] = ()
    smtp: SmtpServer | None = None
    topic_endpoint: str = ""
    event_key: str = field(default="", repr=False)
    auth: Auth = "none"
    api_key: str = field(default="", repr=False)
    public_url: str = ""

    @property
    def sqlite_path(self) -> str:
        """The file of an SQLite store; empty where the store is another."""
        return self.store.removeprefix("sqlite:///") if self.store.startswith("sqlite:") else ""


def packaged_policy() -> str:
    """The text of the packaged policy file."""
    return importlib.resources.files("lami").joinpath("policy.toml").read_text("utf-8")


def read(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment holds. Raises `BadSettings`, which names every fault."""
    return _Reader(environment).settings()


def read_for_functions(environment: Mapping[str, str]) -> Settings:
    """The same under Azure Functions, where a store in a file and an open API are faults."""
    reader = _Reader(environment)
    reader.for_functions()
    return reader.settings()


class _Reader:
    """Reads one environment and collects what is wrong with it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {k: v.strip() for k, v in environment.items() if k.startswith("LAMI_")}
        self._faults: list[str] = []

    def fault(self, name: str, what: str) -> None:
        """Note one fault."""
        self._faults.append(f"{name}: {what}")

    def for_functions(self) -> None:
        """Note what is a fault under Azure Functions only, set or left to its default."""
        if self._text("LAMI_STORE", "sqlite:").startswith("sqlite:"):
            self.fault("LAMI_STORE", "an SQLite file does not outlive a function app's instance: use a table")
        if self._text("LAMI_AUTH", "none") == "none":
            self.fault("LAMI_AUTH", "`none` would open API and page to everybody: use `key`")

    def settings(self) -> Settings:
        """The settings, or `BadSettings` with all faults."""
        self._unknown()
        loopback = self._loopback()
        hosts = (*TEAMS_HOSTS, *self._list("LAMI_WEBHOOK_HOSTS"))
        public = PublicTargets(hosts)
        targets: Targets = LoopbackTargets(public) if loopback else public
        policy, policy_text, policy_faults = self._policy()
        settings = Settings(
            subscriptions=self._subscriptions(),
            store=self._store(loopback),
            table=self._matching("LAMI_TABLE", _TABLE, "lami", "3 to 63 letters and digits, a letter first"),
            arm_endpoint=self._arm(loopback),
            graph_endpoint=self._graph(loopback),
            credential=self._choice("LAMI_CREDENTIAL", get_args(Credential), "default"),
            loopback=loopback,
            reconcile=self._interval("LAMI_RECONCILE", "6h"),
            patience=self._duration("LAMI_PATIENCE", "2m"),
            policy=policy,
            policy_text=policy_text,
            policy_faults=policy_faults,
            targets=targets,
            teams_webhook_url=self._webhook("LAMI_TEAMS_WEBHOOK_URL", targets),
            email_from=self._address("LAMI_EMAIL_FROM"),
            email_to=self._addresses(),
            smtp=self._smtp(loopback),
            topic_endpoint=self._topic(loopback),
            event_key=self._text("LAMI_EVENT_KEY"),
            auth=self._choice("LAMI_AUTH", get_args(Auth), "none"),
            api_key=self._text("LAMI_API_KEY"),
            public_url=self._public_url(),
        )
        self._together(settings)
        if self._faults:
            raise wrong([*self._faults, *wrong_policy(policy_faults)])
        return settings

    def _unknown(self) -> None:
        for name in sorted(self._environment.keys() - NAMES.keys() - _ELSEWHERE):
            if name in NOT_YET:
                self.fault(name, f"{NOT_YET[name]} is not supported yet; unset it")
            else:
                self.fault(name, "no such setting; see docs/reference.md")

    def _together(self, settings: Settings) -> None:
        left_out = [name for name in _MAIL if not self._list(name)]
        if len(left_out) < len(_MAIL):
            for name in left_out:
                self.fault(name, f"mail needs {', '.join(_MAIL[:-1])} and {_MAIL[-1]} together")
        if settings.auth == "key" and not settings.api_key:
            self.fault("LAMI_API_KEY", "`LAMI_AUTH=key` needs it")
        if settings.auth == "easyauth":
            self.fault("LAMI_AUTH", "`easyauth` is not supported yet; use `key`")
        if settings.credential == "none" and not settings.loopback:
            self.fault("LAMI_CREDENTIAL", "`none` is only for loopback addresses (LAMI_LOOPBACK=1)")

    # --- one each ---

    def _text(self, name: str, default: str = "") -> str:
        return self._environment.get(name, "") or default

    def _list(self, name: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in self._text(name).split(",") if part.strip())

    def _choice(self, name: str, options: tuple[T, ...], default: T) -> T:
        text = self._text(name) or default
        for option in options:
            if option == text:
                return option
        self.fault(name, f"is one of {', '.join(map(str, options))}, not {text!r}")
        return default

    def _matching(self, name: str, pattern: re.Pattern[str], default: str, words: str) -> str:
        text = self._text(name, default)
        if not pattern.fullmatch(text):
            self.fault(name, f"is {words}, not {text!r}")
        return text

    def _duration(self, name: str, default: str) -> timedelta:
        try:
            return duration(self._text(name, default))
        except ValueError as error:
            self.fault(name, str(error))
            return duration(default)

    def _interval(self, name: str, default: str) -> timedelta:
        found = self._duration(name, default)
        if not found:
            self.fault(name, "is more than 0s: every run lists whole subscriptions")
        return found

    def _loopback(self) -> bool:
        text = self._text("LAMI_LOOPBACK")
        if text not in ("", "1"):
            self.fault("LAMI_LOOPBACK", f"is 1 or unset, not {text!r}")
        return text == "1"

    def _subscriptions(self) -> frozenset[str]:
        listed = [one.lower() for one in self._list("LAMI_SUBSCRIPTIONS")]
        if not listed:
            self.fault("LAMI_SUBSCRIPTIONS", "is required: the ids of the subscriptions to watch")
        for one in listed:
            if not _GUID.fullmatch(one):
                self.fault("LAMI_SUBSCRIPTIONS", f"{one!r} is no subscription id")
        return frozenset(guid(one) for one in listed) - {""}

    def _store(self, loopback: bool) -> str:
        text = self._text("LAMI_STORE", "sqlite:///lami.db")
        url = _split(text) if "://" in text else None
        if text.startswith("sqlite:///") and len(text) > len("sqlite:///"):
            return text
        if any(text.startswith(start) or f";{start}" in text for start in _DEVELOPMENT):
            self._plain_http(text, loopback)
            return text
        if url and url.scheme == "https" and url.hostname and not url.query:
            return text.rstrip("/")
        self.fault(
            "LAMI_STORE",
            "is sqlite:///PATH, https://ACCOUNT.table.core.windows.net, or a storage connection string",
        )
        return text

    def _plain_http(self, text: str, loopback: bool) -> None:
        """A connection string bears a key: over plain http it may only go to this machine."""
        parts = dict(part.partition("=")[::2] for part in text.split(";"))
        endpoint = parts.get("TableEndpoint", "")
        plain = endpoint.lower().startswith("http://")
        plain = plain or (not endpoint and parts.get("DefaultEndpointsProtocol", "").lower() == "http")
        url = _split(endpoint)
        here = bool(url and is_loopback(url.hostname or ""))
        if plain and not (here and loopback):
            self.fault("LAMI_STORE", "plain http is only for loopback addresses, with LAMI_LOOPBACK=1")

    def _arm(self, loopback: bool) -> str:
        return self._https("LAMI_ARM_ENDPOINT", "https://management.azure.com", loopback)

    def _graph(self, loopback: bool) -> str:
        """Only hosts of Microsoft's: a token that may read the directory is sent there."""
        name = "LAMI_GRAPH_ENDPOINT"
        text = self._https(name, "", loopback).rstrip("/")
        url = _split(text)
        known = is_loopback(url.hostname or "") or url.netloc.lower() in GRAPH_HOSTS
        bare = not (url.path or url.query or url.fragment or url.username or url.password)
        if text and not any(fault.startswith(name) for fault in self._faults) and not (known and bare):
            self.fault(name, f"is https://HOST, the host one of {', '.join(GRAPH_HOSTS)}")
        return text

    def _https(self, name: str, default: str, loopback: bool) -> str:
        text = self._text(name, default)
        url = _split(text)
        host = url.hostname or ""
        here = is_loopback(host)
        if url.scheme == "https" and host and (loopback if here else not _is_private(host)):
            return text
        if not text or (url.scheme == "http" and here and loopback):
            return text
        wanted = "an https URL of a public host"
        wanted += "" if loopback else "; loopback, also over http, needs LAMI_LOOPBACK=1"
        self.fault(name, f"is {wanted}")
        return text

    def _webhook(self, name: str, targets: Targets) -> str:
        text = self._text(name)
        fault = targets.check(text) if text else None
        if fault:
            self.fault(name, fault)
        return text

    def _topic(self, loopback: bool) -> str:
        name = "LAMI_EVENTGRID_TOPIC_ENDPOINT"
        topics = PublicTargets(TOPIC_HOSTS)
        return self._webhook(name, LoopbackTargets(topics) if loopback else topics)

    def _public_url(self) -> str:
        text = self._text("LAMI_PUBLIC_URL")
        url = _split(text)
        if text and (url.scheme not in ("https", "http") or not url.hostname):
            self.fault("LAMI_PUBLIC_URL", "is an http or https URL")
        return text.rstrip("/")

    def _address(self, name: str) -> str:
        text = self._text(name)
        if text and not _is_address(text):
            self.fault(name, f"{text!r} is no mail address")
        return text

    def _addresses(self) -> tuple[str, ...]:
        listed = self._list("LAMI_EMAIL_TO")
        for one in listed:
            if not _is_address(one):
                self.fault("LAMI_EMAIL_TO", f"{one!r} is no mail address")
        return listed

    def _smtp(self, loopback: bool) -> SmtpServer | None:
        text = self._text("LAMI_SMTP_URL")
        if not text:
            return None
        url = _split(text)
        if url.scheme != "smtp" or not url.hostname:
            self.fault("LAMI_SMTP_URL", "is smtp://user:password@host:587")
            return None
        here = is_loopback(url.hostname)
        if here and not loopback:
            self.fault("LAMI_SMTP_URL", "a loopback address needs LAMI_LOOPBACK=1")
        user, password = unquote(url.username or ""), unquote(url.password or "")
        return SmtpServer(url.hostname, url.port or 587, user, password, starttls=not here)

    def _policy(self) -> tuple[Policy, str, tuple[str, ...]]:
        """The policy with its text, and what is wrong with it."""
        packaged, path = packaged_policy(), self._text("LAMI_POLICY")
        text, faults = "", ()
        try:
            text = _read_text(Path(path)) if path else ""
            return parse(text, packaged), text, faults
        except (OSError, UnicodeDecodeError) as error:
            return Policy(), "", (f"{path} cannot be read: {error}",)
        except BadSettings as error:
            return Policy(), text, error.faults


def wrong(faults: Sequence[str]) -> BadSettings:
    """The error that names all that is wrong with the settings."""
    heading = f"{len(faults)} setting{'s are' if len(faults) > 1 else ' is'} wrong:"
    return BadSettings("\n  ".join([heading, *faults]))


def wrong_policy(faults: Sequence[str]) -> list[str]:
    """The faults of the policy as one of the settings has them; none where there are none."""
    return [f"LAMI_POLICY: the policy is wrong: {'; '.join(faults)}"] if faults else []


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MOST_POLICY + 1)
    if len(data) > MOST_POLICY:
        fault = f"{path} is larger than {MOST_POLICY // 1024} KiB"
        raise BadSettings(fault, (fault,))
    return data.decode("utf-8")


def _is_address(text: str) -> bool:
    plain = parseaddr(text)[1]
    return bool(re.fullmatch(r"[^@\s,]+@[^@\s,]+", plain)) and not any(c in text for c in "\r\n")


def _split(text: str) -> SplitResult:
    """A URL taken apart; one of nothing where it is none."""
    try:
        url = urlsplit(text)
        _ = url.port  # Read here, since it is only checked when read.
    except ValueError:
        return urlsplit("")
    return url


def _is_private(host: str) -> bool:
    """Whether the host is an address that the internet does not route to."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False
