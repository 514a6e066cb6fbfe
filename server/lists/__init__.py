"""Lists: what people keep of them. Views under a name, and how a list opens for somebody."""
