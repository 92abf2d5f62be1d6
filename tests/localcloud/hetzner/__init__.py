"""Tests of Hetzner Cloud on loopback."""
