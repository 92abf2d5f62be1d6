"""The subcommands of `continuity`: their options and their output."""
