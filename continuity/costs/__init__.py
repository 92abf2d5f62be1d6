"""The monthly cost of stacks, by the price file."""
