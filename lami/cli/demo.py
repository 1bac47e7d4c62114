"""`lami demo`: a redeploy, what it leaves behind and a broad grant, on a small Azure on this machine."""

from __future__ import annotations

import logging

import click

from lami.cli.voice import listen


@click.command()
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same ids.")
@click.option("--serve", is_flag=True, help="Keep lami's page up after the story, until Ctrl-C.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of the page; 0, the default, is any."
)
@click.option("--fast", is_flag=True, help="Make no pauses for reading.")
def demo(seed: int, serve: bool, port: int, fast: bool) -> None:
    """Play a redeploy on a small Azure on this machine, and watch.

    A logic app is redeployed and its identity changes, assignments are left behind, and somebody in a hurry
    grants too much; lami is told, looks, concludes and alerts. It is a simulation: nothing leaves this
    machine, and nothing is kept.

    Exits 1 where a finding that belongs to the story was not made, or did not arrive in both sinks.

    \b
    Example: the same story, with the page to look at afterwards
      lami demo --serve --port 8080
    """
    listen(logging.WARNING)
    # Imported here: Azure's clients take half a second that the help text need not pay.
    from lami.cli.demo_play import perform
    from lami.sandbox.stories import REDEPLOY

    problems = perform(REDEPLOY, seed, port, serve=serve, pace=0.0 if fast else 1.0)
    if problems:
        raise click.ClickException("\n  ".join(["the demo did not go as it must:", *problems]))
