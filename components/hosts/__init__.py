"""The API and worker hosts: their number and locations, their configuration, and their replacement one by one."""
