"""Team files as Kubernetes objects: pure, deterministic, checked by the real API server."""
