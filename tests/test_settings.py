"""Settings: the environment read once and whole, every fault named at once, no secret shown."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.channels.relay import SmtpServer
from lami.core.policy import Policy
from lami.errors import BadSettings
from lami.settings import MOST_POLICY, NAMES, NOT_YET, Settings, read, read_for_functions

SUB = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"
BARE = {"LAMI_SUBSCRIPTIONS": SUB}
LOOPBACK = {**BARE, "LAMI_LOOPBACK": "1"}
TEAMS = "https://prod-1.westeurope.logic.azure.com/workflows/x/triggers/manual/paths/invoke?sig=s3cret-sig"
STORE = (
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=s3cret-account==;EndpointSuffix=core.windows.net"
)
MAIL = {
    "LAMI_EMAIL_FROM": "lami@example.com",
    "LAMI_EMAIL_TO": "a@example.com, Security <b@example.com>",
    "LAMI_SMTP_URL": "smtp://us%40er:s3cret-mail@mail.example.com",
}
FUNCTIONS = {**BARE, "LAMI_STORE": STORE, "LAMI_AUTH": "key", "LAMI_API_KEY": "s3cret-api"}


def faults(environment: Mapping[str, str], functions: bool = False) -> list[str]:
    """The faults of an environment, each on a line of the one message."""
    with pytest.raises(BadSettings) as caught:
        (read_for_functions if functions else read)(environment)
    heading, *lines = str(caught.value).split("\n  ")
    assert heading.startswith(f"{len(lines)} setting")
    return lines


def fault(environment: Mapping[str, str], functions: bool = False) -> str:
    """The one fault of an environment."""
    (only,) = faults(environment, functions)
    return only


# --- what is read ----------------------------------------------------------------------------------


def test_what_is_left_out_has_its_default() -> None:
    """Only the subscriptions are required."""
    settings = read(BARE)
    assert settings.subscriptions == {SUB}
    assert (settings.store, settings.sqlite_path, settings.table) == ("sqlite:///lami.db", "lami.db", "lami")
    assert settings.arm_endpoint == "https://management.azure.com"
    assert (settings.credential, settings.auth, settings.loopback) == ("default", "none", False)
    assert (settings.reconcile, settings.patience) == (timedelta(hours=6), timedelta(minutes=2))
    assert settings.policy.broad
    assert (settings.smtp, settings.email_to, settings.teams_webhook_url) == (None, (), "")


def test_an_empty_setting_is_one_left_out() -> None:
    """Templates set what they have no value for to the empty string; other programs' settings don't count."""
    empty = dict.fromkeys(NAMES, "")
    assert read({**empty, **BARE, "PATH": "/bin", "lami_store": "x"}) == read(BARE)


def test_everything_set(tmp_path: Path) -> None:
    """Each setting arrives, with the space around it gone."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[watch]\nprincipals = "holders"\n')
    settings = read(
        {
            "LAMI_SUBSCRIPTIONS": f" {SUB.upper()} ,{OTHER},",
            "LAMI_STORE": f" {STORE} ",
            "LAMI_TABLE": "lami2",
            "LAMI_ARM_ENDPOINT": "https://management.usgovcloudapi.net",
            "LAMI_GRAPH_ENDPOINT": "https://graph.microsoft.us",
            "LAMI_RECONCILE": "90m",
            "LAMI_PATIENCE": "30s",
            "LAMI_POLICY": str(policy),
            "LAMI_TEAMS_WEBHOOK_URL": TEAMS,
            **MAIL,
            "LAMI_EVENTGRID_TOPIC_ENDPOINT": "https://t.westeurope-1.eventgrid.azure.net/api/events",
            "LAMI_EVENT_KEY": "s3cret-event",
            "LAMI_AUTH": "key",
            "LAMI_API_KEY": "s3cret-api",
            "LAMI_PUBLIC_URL": "https://lami.example.com/",
        }
    )
    assert settings.subscriptions == {SUB, OTHER}
    assert (settings.store, settings.sqlite_path, settings.table) == (STORE, "", "lami2")
    assert settings.arm_endpoint == "https://management.usgovcloudapi.net"
    assert settings.graph_endpoint == "https://graph.microsoft.us"
    assert (settings.reconcile, settings.patience) == (timedelta(minutes=90), timedelta(seconds=30))
    assert settings.policy.watch_principals == "holders"
    assert settings.teams_webhook_url == TEAMS
    assert settings.email_to == ("a@example.com", "Security <b@example.com>")
    assert settings.smtp == SmtpServer("mail.example.com", 587, "us@er", "s3cret-mail", starttls=True)
    assert settings.topic_endpoint == "https://t.westeurope-1.eventgrid.azure.net/api/events"
    assert (settings.event_key, settings.auth, settings.api_key) == ("s3cret-event", "key", "s3cret-api")
    assert settings.public_url == "https://lami.example.com"


@pytest.mark.parametrize(
    "store",
    [
        "sqlite:////var/lib/lami/lami.db",
        "https://account.table.core.windows.net",
        "UseDevelopmentStorage=true",
        STORE,
        "AccountName=a;AccountKey=k;TableEndpoint=https://a.table.core.windows.net",
    ],
)
def test_the_stores_that_there_are(store: str) -> None:
    """A file, an account by identity, Azurite, a connection string."""
    assert read({**BARE, "LAMI_STORE": store}).store == store


def test_the_store_without_a_last_slash() -> None:
    """An account's address as portals show it."""
    url = "https://account.table.core.windows.net"
    assert read({**BARE, "LAMI_STORE": f"{url}/"}).store == url


# --- secrets ---------------------------------------------------------------------------------------


def test_no_secret_is_in_the_repr() -> None:
    """Settings may be logged."""
    settings = read({**FUNCTIONS, **MAIL, "LAMI_TEAMS_WEBHOOK_URL": TEAMS, "LAMI_EVENT_KEY": "s3cret-event"})
    assert isinstance(settings, Settings)
    for shown in (repr(settings), str(settings), f"{settings.smtp}"):
        assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAMI_STORE", "AccountKey=s3cret"),
        ("LAMI_STORE", "https://account.table.core.windows.net?sig=s3cret"),
        ("LAMI_TEAMS_WEBHOOK_URL", "https://evil.example.com/?sig=s3cret"),
        ("LAMI_TEAMS_WEBHOOK_URL", "http://prod-1.westeurope.logic.azure.com/?sig=s3cret"),
        ("LAMI_SMTP_URL", "http://user:s3cret@mail.example.com"),
        ("LAMI_SMTP_URL", "smtp://user:s3cret@mail.example.com:99999"),
        ("LAMI_EVENTGRID_TOPIC_ENDPOINT", "https://user:s3cret@t.eventgrid.azure.net"),
        ("LAMI_ARM_ENDPOINT", "http://user:s3cret@arm.example.com"),
        ("LAMI_PUBLIC_URL", "ftp://user:s3cret@lami.example.com"),
    ],
)
def test_no_secret_is_in_a_fault(name: str, value: str) -> None:
    """A fault names the setting and what it should be, not what it was."""
    only = fault({**BARE, **MAIL, name: value})
    assert only.startswith(f"{name}: ")
    assert "s3cret" not in only


# --- faults ----------------------------------------------------------------------------------------

WRONG = {
    "LAMI_SUBSCRIPTIONS": f"{SUB},prod",
    "LAMI_STORE": "mysql://x",
    "LAMI_TABLE": "1lami",
    "LAMI_ARM_ENDPOINT": "http://management.azure.com",
    "LAMI_GRAPH_ENDPOINT": "https://graph.example.com",
    "LAMI_CREDENTIAL": "secret",
    "LAMI_LOOPBACK": "yes",
    "LAMI_RECONCILE": "6 hours",
    "LAMI_POLICY": "/no/such/policy.toml",
    "LAMI_PATIENCE": "-1s",
    "LAMI_TEAMS_WEBHOOK_URL": "https://example.com/",
    "LAMI_EMAIL_FROM": "nobody",
    "LAMI_EMAIL_TO": "a@example.com,@",
    "LAMI_SMTP_URL": "mail.example.com:587",
    "LAMI_EVENTGRID_TOPIC_ENDPOINT": "https://example.com/",
    "LAMI_AUTH": "basic",
    "LAMI_PUBLIC_URL": "lami",
}


@pytest.mark.parametrize("name", sorted(WRONG.keys() - {"LAMI_POLICY"}))
def test_each_fault_is_named(name: str) -> None:
    """By the setting's name."""
    assert fault({**BARE, **MAIL, name: WRONG[name]}).startswith(f"{name}: ")


def test_every_fault_is_named_at_once() -> None:
    """In one message, also settings that are missing, unknown, or of features that are not built."""
    everything = {**WRONG, "LAMI_STOER": "x", "LAMI_WEBHOOK_URL": "x"}
    assert {line.partition(":")[0] for line in faults(everything)} == set(everything)
    assert fault({}).startswith("LAMI_SUBSCRIPTIONS: is required")


def test_an_unknown_setting_is_a_fault() -> None:
    """A slip of the pen is not silently a default."""
    assert fault({**BARE, "LAMI_PATIENSE": "1m"}).startswith("LAMI_PATIENSE: no such setting")


@pytest.mark.parametrize("name", NOT_YET)
def test_a_setting_whose_feature_is_not_built_is_a_fault(name: str) -> None:
    """Nobody believes that Sentinel is told when it is not."""
    assert "not supported yet" in fault({**BARE, name: "x"})


@pytest.mark.parametrize("name", ["LAMI_ARM_ENDPOINT", "LAMI_STORE", "LAMI_SMTP_URL", "LAMI_PUBLIC_URL"])
@pytest.mark.parametrize("url", ["https://[::1", "smtp://[mail", "https://[not-an-address]/"])
def test_what_is_no_url_is_a_fault(name: str, url: str) -> None:
    """And not an accident while reading it."""
    assert fault({**LOOPBACK, **MAIL_HERE, name: url}).startswith(f"{name}: ")


VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), VALUES))
def test_no_environment_is_an_accident(environment: dict[str, str]) -> None:
    """Whatever is set, it is read or its faults are named."""
    with suppress(BadSettings):
        read(environment)


def test_a_wrong_policy_names_its_own_faults(tmp_path: Path) -> None:
    """Together with those of other settings."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[grace]\nmissing-grant = "soon"\n[watch]\nprincipals = "some"\n')
    one, other = faults({**BARE, "LAMI_POLICY": str(policy), "LAMI_TABLE": "x"})
    assert one.startswith("LAMI_TABLE")
    assert "[grace] missing-grant" in other
    assert "[watch] principals" in other


def test_a_wrong_policy_alone_is_kept_for_who_knows_the_last_good_one(tmp_path: Path) -> None:
    """Settings know no store; what is wrong stands beside a policy that nobody may go by."""
    policy = tmp_path / "policy.toml"
    for text, faults in (
        (b'[grace]\nmissing-grant = "soon"', 1),
        (b"not toml", 1),
        (b"\xff", 1),
        (b"#" * (MOST_POLICY + 1), 1),
        (b"[watch]\nprincipals = 1\nowner-tag = 1", 2),
    ):
        policy.write_bytes(text)
        settings = read({**BARE, "LAMI_POLICY": str(policy)})
        assert len(settings.policy_faults) == faults, text
        assert settings.policy == Policy()
    policy.write_bytes(b"#" * MOST_POLICY)
    assert read({**BARE, "LAMI_POLICY": str(policy)}).policy_text == "#" * MOST_POLICY


@pytest.mark.parametrize("left_out", MAIL)
def test_mail_needs_all_of_its_settings(left_out: str) -> None:
    """A part of them sends nothing, so it is a fault."""
    some = {name: value for name, value in MAIL.items() if name != left_out}
    assert fault({**BARE, **some}).startswith(f"{left_out}: mail needs ")


@pytest.mark.parametrize("given", MAIL)
@pytest.mark.parametrize("value", ["good", "a"])
def test_all_that_mail_lacks_is_named_at_once(given: str, value: str) -> None:
    """Nobody starts lami three times to learn of three settings, also where the one that is set is wrong."""
    lines = faults({**BARE, given: MAIL[given] if value == "good" else value})
    wrong = set() if value == "good" else {given}
    assert {line.partition(":")[0] for line in lines} == (MAIL.keys() - {given}) | wrong
    assert len(lines) == len(set(lines))


def test_a_key_needs_its_key_and_easy_auth_is_not_built() -> None:
    """Neither leaves the API open by mistake."""
    assert fault({**BARE, "LAMI_AUTH": "key"}).startswith("LAMI_API_KEY: ")
    assert "not supported yet" in fault({**BARE, "LAMI_AUTH": "easyauth"})


# --- Microsoft Graph -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "graph.microsoft.com",
        "graph.microsoft.us",
        "dod-graph.microsoft.us",
        "microsoftgraph.chinacloudapi.cn",
        "GRAPH.microsoft.com",
    ],
)
def test_graph_is_one_of_microsofts(host: str) -> None:
    """Each cloud has its own; a slash at the end is no matter. Unset, nobody is asked."""
    assert read({**BARE, "LAMI_GRAPH_ENDPOINT": f"https://{host}/"}).graph_endpoint == f"https://{host}"
    assert read(BARE).graph_endpoint == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://graph.microsoft.com",
        "https://example.com",
        "https://graph.microsoft.com.example.com",
        "https://graph.microsoft.com@example.com",
        "https://s3cret@graph.microsoft.com",
        "https://graph.microsoft.com:8443",
        "https://graph.microsoft.com/beta",
        "https://graph.microsoft.com?x=1",
        "https://management.azure.com",
        "http://127.0.0.1:8080",
        "https://10.0.0.4",
        "graph.microsoft.com",
        "https://[graph",
    ],
)
def test_a_token_for_the_directory_goes_nowhere_else(url: str) -> None:
    """It may read everybody: only Microsoft's own hosts get it, and the fault repeats no secret."""
    only = fault({**BARE, "LAMI_GRAPH_ENDPOINT": url})
    assert only.startswith("LAMI_GRAPH_ENDPOINT: ")
    assert "s3cret" not in only


# --- loopback --------------------------------------------------------------------------------------

HERE = {
    "LAMI_ARM_ENDPOINT": "http://127.0.0.1:8080",
    "LAMI_GRAPH_ENDPOINT": "http://127.0.0.1:8080",
    "LAMI_TEAMS_WEBHOOK_URL": "http://localhost:8080/teams",
    "LAMI_EVENTGRID_TOPIC_ENDPOINT": "http://[::1]:8080/topic",
    "LAMI_CREDENTIAL": "none",
}
MAIL_HERE = {**MAIL, "LAMI_SMTP_URL": "smtp://127.0.0.1:2525"}


def test_with_loopback_this_machine_may_stand_in() -> None:
    """In plain http and plain SMTP, without a credential."""
    settings = read({**LOOPBACK, **HERE, **MAIL_HERE})
    assert settings.arm_endpoint == "http://127.0.0.1:8080"
    assert settings.smtp == SmtpServer("127.0.0.1", 2525, starttls=False)


@pytest.mark.parametrize("name", [*HERE, "LAMI_SMTP_URL"])
def test_without_loopback_it_may_not(name: str) -> None:
    """Each of them is a fault."""
    environment = {**BARE, **MAIL_HERE} if name == "LAMI_SMTP_URL" else {**BARE, name: HERE[name]}
    assert fault(environment).startswith(f"{name}: ")


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1", "https://localhost", "https://10.0.0.4", "https://[fd00::1]", "https://0.0.0.0"],
)
def test_without_loopback_azure_has_a_public_address(url: str) -> None:
    """A token is not sent to this machine or inside the network, not over https either."""
    assert fault({**BARE, "LAMI_ARM_ENDPOINT": url}).startswith("LAMI_ARM_ENDPOINT: ")


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.4", "example.com", "127.0.0.1.example.com"])
def test_with_loopback_nothing_else_may_stand_in(host: str) -> None:
    """Plain http goes to this machine only."""
    for name in (
        "LAMI_ARM_ENDPOINT",
        "LAMI_GRAPH_ENDPOINT",
        "LAMI_TEAMS_WEBHOOK_URL",
        "LAMI_EVENTGRID_TOPIC_ENDPOINT",
    ):
        assert fault({**LOOPBACK, name: f"http://{host}/"}).startswith(f"{name}: ")


def test_further_hosts_for_webhooks() -> None:
    """A proxy's host may be named, and is then held to https all the same."""
    named = {**BARE, "LAMI_WEBHOOK_HOSTS": "hooks.example.com, *.example.net"}
    for host in ("hooks.example.com", "a.example.net"):
        assert read({**named, "LAMI_TEAMS_WEBHOOK_URL": f"https://{host}/x"}).teams_webhook_url
        assert fault({**named, "LAMI_TEAMS_WEBHOOK_URL": f"http://{host}/x"})
    assert fault({**named, "LAMI_TEAMS_WEBHOOK_URL": "https://x.hooks.example.com/"})


# --- under Functions -------------------------------------------------------------------------------


def test_functions_with_a_table_and_a_key() -> None:
    """Is what is meant."""
    assert read_for_functions(FUNCTIONS) == read(FUNCTIONS)


@pytest.mark.parametrize("store", [None, "", "  ", "sqlite:///lami.db", " sqlite:////mnt/lami.db"])
def test_functions_need_a_table(store: str | None) -> None:
    """A file does not outlive the instance, whether it was asked for or is the default."""
    environment = {**FUNCTIONS, "LAMI_STORE": store or ""}
    if store is None:
        del environment["LAMI_STORE"]
    assert fault(environment, functions=True).startswith("LAMI_STORE: ")


@pytest.mark.parametrize("auth", [None, "", "  ", "none", " none"])
def test_functions_never_open_the_api(auth: str | None) -> None:
    """Whether it was asked for, set to nothing, or left out."""
    environment = {**FUNCTIONS, "LAMI_AUTH": auth or ""}
    if auth is None:
        del environment["LAMI_AUTH"]
    assert fault(environment, functions=True).startswith("LAMI_AUTH: ")


def test_functions_name_their_faults_with_the_others() -> None:
    """In the same one message."""
    names = {line.partition(":")[0] for line in faults({"LAMI_TABLE": "x"}, functions=True)}
    assert names == {"LAMI_STORE", "LAMI_AUTH", "LAMI_TABLE", "LAMI_SUBSCRIPTIONS"}


def test_reconcile_without_a_pause_is_refused() -> None:
    """Every run lists whole subscriptions."""
    assert "more than 0s" in fault({**BARE, "LAMI_RECONCILE": "0s"})


@pytest.mark.parametrize(
    "store",
    [
        "AccountName=a;AccountKey=k;TableEndpoint=http://tables.example.com/a",
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=k",
    ],
)
def test_a_connection_string_bears_a_key_and_wants_https(store: str) -> None:
    """Plain http only goes to this machine, and only where loopback is allowed."""
    assert "plain http" in fault({**BARE, "LAMI_STORE": store})
    here = "AccountName=a;AccountKey=k;TableEndpoint=http://127.0.0.1:10002/a"
    assert "plain http" in fault({**BARE, "LAMI_STORE": here})
    assert read({**BARE, "LAMI_LOOPBACK": "1", "LAMI_STORE": here}).store == here
