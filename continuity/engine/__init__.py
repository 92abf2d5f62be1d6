"""How Pulumi's engine is run, and how its events are read."""
