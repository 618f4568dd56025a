"""Tasks: what is learned from which data, how it is judged, and what it is compared with."""
