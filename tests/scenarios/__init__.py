"""The main job as a user would tell it, over the simulated Azure."""
