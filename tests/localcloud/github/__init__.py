"""Tests of GitHub on loopback."""
