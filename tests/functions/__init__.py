"""The function app in Microsoft's own Python worker, on the Python that Azure runs it with."""
