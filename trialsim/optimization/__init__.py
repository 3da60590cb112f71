"""Which design to run: very many of them by closed form, the best few by simulation."""
