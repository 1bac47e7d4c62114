"""lami watches the managed identities of Azure logic apps and says when trust moves."""

__version__ = "0.1.0"
