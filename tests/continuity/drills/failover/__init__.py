"""Tests of the failover drill."""
