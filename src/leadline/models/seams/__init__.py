"""Where methods take hold of a model: parts (what can change), and the host that calls them. See `parts`."""
