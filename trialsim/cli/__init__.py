"""The command line; one file a command, `app` assembles them."""
