"""What runs in the containers of the local cloud's hosts: a small API and a small worker. They know their environment."""
