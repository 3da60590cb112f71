"""The thirteen parts of a page, one module each, and the list of them."""
