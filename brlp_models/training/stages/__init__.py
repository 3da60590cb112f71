"""The stages of a training, one network each, with their losses."""
