"""Tests of how the engine is run."""
