"""Tests of outages and of sold-out server types."""
