"""A team's identity at the object store and on the file system: documents, and where a server of ours takes them from."""
