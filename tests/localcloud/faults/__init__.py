"""Tests of outages and of what is sold out."""
