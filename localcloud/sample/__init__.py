"""The programs in the containers of the local cloud's hosts: a small API and a small worker.

They read their configuration from the environment. They are not installed: the emulated podman runs the files.
"""
