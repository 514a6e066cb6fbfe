"""The way to the server: HTTP, the WebSocket, and what went wrong with either."""
