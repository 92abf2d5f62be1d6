"""The checks of the first day on real accounts. They only read."""
