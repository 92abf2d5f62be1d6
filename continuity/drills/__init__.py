"""Drills: lose something on purpose, and measure how long recovery takes and what it costs."""
