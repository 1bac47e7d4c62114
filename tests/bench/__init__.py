"""Tests of the benchmarks: that they measure what they say, and that they can be run at all."""
