"""Tests of what is declared at GitHub."""
