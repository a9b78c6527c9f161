"""Tasks, one benchmark a file; the folder is the list of them."""
