"""The subcommands of `continuity`: what each takes, and what it prints."""
