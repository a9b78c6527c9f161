"""Methods that change how tokens come out."""
