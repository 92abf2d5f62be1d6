"""One local cloud on a machine: its folder, its files, the tags of its processes, and its control."""
