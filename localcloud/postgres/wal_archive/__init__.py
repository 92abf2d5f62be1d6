"""The write-ahead log archive: base backups, archived segments, and recovery to a moment."""
