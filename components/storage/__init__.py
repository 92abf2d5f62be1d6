"""Where the application keeps objects and secrets."""
