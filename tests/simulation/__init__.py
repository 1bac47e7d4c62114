"""lami's core, service and stores against a simulated Azure on a virtual clock, from one seed."""
