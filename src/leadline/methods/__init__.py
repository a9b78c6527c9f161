"""Methods that help a model to read further or cheaper, one file each, divided by what they change."""
