"""What holds for every test: how many shapes are drawn, and that runs are repeatable unless they fuzz."""

import os
import signal

import torch
from hypothesis import HealthCheck, settings

FUZZ = "UNROLLED_FUZZ_EXAMPLES"

# `make test` draws the same shapes every time, so that a red run is the change's fault; fuzzing draws anew.
settings.register_profile(
    "unrolled",
    max_examples=int(os.environ.get(FUZZ, "2000")),
    derandomize=FUZZ not in os.environ,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("unrolled")

# A process in the background is started with Ctrl-C ignored; the tests send it to themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)

# One thread, unless a test asks for more: shapes are small, and torch's threads wait by spinning, which takes
# a hundred times as long on a machine that has other work.
torch.set_num_threads(1)
