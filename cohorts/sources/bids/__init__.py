"""BIDS datasets: people, visits, images by their entities."""
