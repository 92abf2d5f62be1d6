"""The load of a drill: HTTP requests and queued jobs."""
