"""Patching: runs that update the packages of hosts, and the policies that say when."""
