"""The golden classification of Azure's built-in roles (`golden.tsv`), and docs/reach.md, made of it."""
