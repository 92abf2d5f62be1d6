"""Tests of the copies that outlive production."""
