"""Room campaigns: roll-outs over many hosts in waves, and the maintenance windows that start them."""
