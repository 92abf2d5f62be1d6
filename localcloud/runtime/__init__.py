"""The local cloud as a process: how it starts and serves, its machines, and the environment that leads tools to it."""
