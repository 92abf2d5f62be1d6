"""One local cloud on a machine: its folder, its files, the tag on its processes, and how it is controlled."""
