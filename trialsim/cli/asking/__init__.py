"""What commands are asked: options, read into the keys of the protocol."""
