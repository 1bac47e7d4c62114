"""Properties that must hold whatever comes: machines that play a model beside the real thing, and fuzzing."""
