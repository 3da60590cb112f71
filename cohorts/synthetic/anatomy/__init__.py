"""What shape a synthetic person has, and the deformation that gives regions their volumes."""
