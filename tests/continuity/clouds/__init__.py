"""Tests of `continuity/clouds`."""
