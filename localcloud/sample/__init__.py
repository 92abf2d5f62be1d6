"""What runs in the containers of the local cloud's hosts: a small API and a small worker.

All that they know is in their environment. Nothing of them is installed: the stand-in for podman runs the files.
"""
