"""The repository on GitHub, the environments that deployments run in, and its mirror in Ireland."""
