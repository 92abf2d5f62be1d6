"""Tests of the runs of the engine."""
