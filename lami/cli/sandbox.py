"""`lami sandbox`: a small Azure on this machine, and a story to play with it."""

from __future__ import annotations

import json

import click

from lami.cli.voice import Voice, voice_options
from lami.cli.waiting import stopping, wait
from lami.errors import Permanent
from lami.sandbox import WORKFLOW, Sandbox, resource_id

SERVE_PORT = 8080
"""Where `lami serve` listens unless told otherwise."""
_GROUP, _APP = "rg-claims", "claims-intake"


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8081, show_default=True, help="0 is any free port."
)
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed gives the same ids.")
@voice_options
def sandbox(voice: Voice, port: int, seed: int) -> None:
    """Run a small Azure on this machine: nothing in it is real.

    Prints how to point lami at it, and a story to play with curl. Ctrl-C ends it, and all that was in it.

    \b
    Example:
      lami sandbox --port 8081
    """
    azure = Sandbox(port=port, seed=seed)
    with stopping() as stop:
        try:
            azure.start()
        except OSError as error:
            raise Permanent(
                f"port {port} cannot be had: {error.strerror}; choose another with --port"
            ) from None
        try:
            click.echo(f"{azure.banner()}\n\n{story(azure)}")
            wait(stop)
        finally:
            azure.close()
        voice.say("The sandbox is gone, and all that was in it.")


def story(azure: Sandbox) -> str:
    """The commands of a redeploy, to be pasted one after another."""
    subscription = azure.subscription
    scope = f"/subscriptions/{subscription}"
    app = resource_id(subscription, _GROUP, WORKFLOW, _APP)
    control = f"{azure.url}/sandbox"
    put = f"curl -X PUT {control}/workflows/{subscription}/{_GROUP}/{_APP}"
    narrow = {"role": "Key Vault Secrets User", "scope": f"{scope}/resourceGroups/{_GROUP}", "of": app}
    broad = {"role": "Contributor", "scope": scope, "of": app}
    webhook = {"url": f"http://127.0.0.1:{SERVE_PORT}/api/events"}
    lines = (
        "A story",
        "",
        "  # a logic app, and what it may do",
        f"  {put}",
        f"  curl -X POST {control}/assignments -d '{json.dumps(narrow)}'",
        "  # in another terminal: the exports above, then `lami serve`, which takes the baseline; then",
        f"  curl -X POST {control}/subscribe -d '{json.dumps(webhook)}'",
        "  # deployed in place: nothing moves",
        f"  {put}",
        "  # deleted and created again: a new identity, and the old one's access is left behind",
        f"  curl -X POST {control}/workflows/{subscription}/{_GROUP}/{_APP}/recreate",
        "  # it gets far too much",
        f"  curl -X POST {control}/assignments -d '{json.dumps(broad)}'",
        "  # what Teams and the mailbox were told",
        f"  curl {control}/teams",
        f"  curl {control}/mail",
    )
    return "\n".join(lines)
