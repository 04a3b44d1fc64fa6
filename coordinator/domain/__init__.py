"""Values and decisions. No I/O and no clock: what a decision needs is an argument."""
