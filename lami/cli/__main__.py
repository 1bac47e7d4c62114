"""`python -m lami.cli`, where the `lami` command isn't on the path."""

from lami.cli import main

main()
