"""Tests of lami; they mirror lami/."""
