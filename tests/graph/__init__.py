"""Tests of the edge to Microsoft Graph, over HTTP."""
