"""Methods that change the indices that the model sees."""
