"""Group-sequential designs: bounds, errors, what is known at a look and after the last one."""
