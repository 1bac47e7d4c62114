"""Tests of the small Azure, over real HTTP and with the SDK clients that lami uses."""
