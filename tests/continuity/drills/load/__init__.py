"""Tests of a drill's load."""
