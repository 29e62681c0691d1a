"""What stands behind run.py: environment, hosts and servers. Standard library only."""
