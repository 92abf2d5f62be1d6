"""Tests of the plan: the values that loading refuses, and its messages."""
