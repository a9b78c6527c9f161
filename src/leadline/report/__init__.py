"""Results for reading: a console table, figures, one self-contained HTML page."""
