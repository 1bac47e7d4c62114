"""The edge to Microsoft Graph: asks whether principals are in the directory, and nothing else.

Imported only where `LAMI_GRAPH_ENDPOINT` is set.
"""
