"""The command line. Garbage is looked for seldom from here on: what is imported stays, and looking costs time."""

import gc

gc.set_threshold(500_000, 20, 20)
