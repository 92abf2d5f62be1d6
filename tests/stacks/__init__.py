"""Tests of the three stacks, as the program declares them."""
