"""The pure core: deciding about identities and grants. No clock, no randomness, no logging, no I/O."""
