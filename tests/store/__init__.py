"""Tests of lami.store: one contract, run on every back end, and what is particular to each."""
