"""Tests of the network and the public endpoint."""
