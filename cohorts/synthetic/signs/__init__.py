"""What a synthetic person's scan shows beyond the tabled volumes."""
