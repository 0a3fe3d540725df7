"""A real Kubernetes on one machine, from its own binaries: here its control plane."""
