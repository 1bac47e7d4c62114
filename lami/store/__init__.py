"""Stores: a table of partitions, in SQLite or in Azure Table Storage, behind one small protocol."""
