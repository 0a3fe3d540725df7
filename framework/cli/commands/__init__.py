"""One module per sub-command: options in, a call of a pure module, lines or JSON out. Each holds an ``app``."""
