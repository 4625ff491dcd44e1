"""Records that nobody wrote: requests made from tools' schemas, or asked of a larger model."""
