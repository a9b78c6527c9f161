"""leadline: measure how far a language model really reads, and help it to read further."""

__version__ = "0.1.0"
