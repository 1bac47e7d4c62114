"""What a reply is that nobody can make sense of: never an empty one, and never an absence."""

from lami.errors import Temporary


class Unreadable(Temporary):
    """A reply is not what its documentation describes; the message says in what."""
