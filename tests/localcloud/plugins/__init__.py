"""Tests of the stand-in plugins and their tables."""
