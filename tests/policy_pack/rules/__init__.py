"""Tests of the rules, over plain resources."""
