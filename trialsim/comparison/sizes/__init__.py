"""How many people a choice needs: searched in simulated power, with errors, in whole people."""
