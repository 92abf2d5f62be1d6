"""The API and worker hosts: how many and where, what each is built from, and how one replaces another."""
