"""Brain Latent Progression: what a brain will look like at a later age, and how sure we are."""
