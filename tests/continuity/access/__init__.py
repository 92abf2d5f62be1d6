"""Tests of the report on who has access."""
