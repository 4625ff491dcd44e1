"""Tasks on a file system: made up, solved by a script or an agent on a real server, and scored."""

SERVER = "npx -y @modelcontextprotocol/server-filesystem"
"""What serves the directory that is named behind it."""
