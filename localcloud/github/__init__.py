"""GitHub in miniature: the endpoints that a repository and its rules need, as an emulator of its HTTP API.

    create_app(store_path, token=...)   the WSGI application, at the root and below `/api/v3` alike

`/api/v3` is where GitHub Enterprise Server has the API, and so where the official provider looks when it is given a
base URL of its own.
"""

from localcloud.github.app import Application, create_app

__all__ = ["Application", "create_app"]
