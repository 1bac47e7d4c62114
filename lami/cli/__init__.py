"""The command line. `main` is what the `lami` command runs; each command is a module of its own."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command that `sys.argv` names, and exit with its code (`lami.cli.exits`)."""
    from lami.cli.root import lami

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A letter that the terminal's encoding lacks is shown as an escape; it doesn't end the command.
            stream.reconfigure(errors="backslashreplace")
    lami(prog_name="lami")
