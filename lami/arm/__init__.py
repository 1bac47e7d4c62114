"""The edge to Azure Resource Manager: looks, and nothing but looks."""
