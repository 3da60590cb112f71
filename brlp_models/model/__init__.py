"""A model folder, its networks, its noise schedule, its sampler."""
