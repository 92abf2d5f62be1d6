"""Tests of what holds Pulumi's state."""
