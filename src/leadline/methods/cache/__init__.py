"""Methods that change what is kept, and in what form."""
