"""The ground: knows no subject, only drivers, time, transactions and bells."""
