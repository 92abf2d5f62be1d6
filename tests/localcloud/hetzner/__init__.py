"""Tests of the local Hetzner Cloud."""
