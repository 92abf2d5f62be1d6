"""The operators' command: bring production up, report its state, run drills, and recover."""
