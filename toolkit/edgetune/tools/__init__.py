"""Tools: where toolsets are read from, and what their JSON Schemas allow."""
