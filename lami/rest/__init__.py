"""What every way out to Microsoft's REST has in common: one host, JSON objects, few tries, bounded waits."""
