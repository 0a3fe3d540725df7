"""``python -m framework.container``: see ``framework.container.command``."""

import gc
import sys

if __name__ == "__main__":
    # A step lives for a second, most of which it spends on imports: to look for garbage among them takes a tenth of it.
    gc.set_threshold(100_000, 50, 50)
    from framework.container.command import main

    sys.exit(main())
