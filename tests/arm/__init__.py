"""Tests of the edge to Azure Resource Manager, over real HTTP to a scripted server on loopback."""
