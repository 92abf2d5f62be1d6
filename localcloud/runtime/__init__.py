"""Process of the local cloud: its start, its services, its machines, and the environment that leads tools to it."""
