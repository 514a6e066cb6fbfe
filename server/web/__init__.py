"""The porch: requests, cookies, templates and streams to browsers; knows no subject."""
