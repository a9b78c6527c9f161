"""Methods that change what is fed."""
