"""Worker processes that end with the process that started them."""

import multiprocessing
import os
from threading import Thread


def end_with_parent() -> None:
    """End this worker as soon as the process that started it is gone, however that ended.

    A pool's workers learn of its end from the pool alone; where that was killed, they would wait
    for their next task as long as the machine runs.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("only a worker has a process to end with")

    def follow() -> None:
        parent.join()
        os._exit(1)

    Thread(target=follow, daemon=True).start()
