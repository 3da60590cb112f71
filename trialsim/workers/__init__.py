"""Work that is done in blocks, by other processes or machines, and kept as it is finished."""
