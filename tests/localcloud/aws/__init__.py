"""Tests of AWS on loopback."""
