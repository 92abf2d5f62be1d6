"""SSM: hybrid activations, and the managed nodes outside AWS that they register."""
