"""The process that runs jobs, hashes objects, and takes over what a dead process left."""
