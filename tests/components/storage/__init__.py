"""Tests of objects and secrets."""
