"""Stand-ins for the engine's provider plugins, for machines that cannot download the real ones."""
