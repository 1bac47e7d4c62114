"""Whole estates: what a run over forty subscriptions costs in time, reads, books loaded and memory."""
