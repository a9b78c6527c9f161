"""Methods that change what is read."""
