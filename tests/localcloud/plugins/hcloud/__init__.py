"""Tests of the stand-in plugin for Hetzner Cloud."""
