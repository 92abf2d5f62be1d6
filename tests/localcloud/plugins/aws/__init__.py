"""Tests of the stand-in plugin for AWS."""
