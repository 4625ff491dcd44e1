"""The machine that trains: its device, what precision it multiplies in, its allocator."""
