"""Many clients at once, as threads."""
import threading

from server import PATIENCE


def together(jobs):
    """Runs callables at the same time, released by one barrier; their results in order. An exception is raised here."""
    results, barrier = [None] * len(jobs), threading.Barrier(len(jobs))

    def work(i):
        try:
            barrier.wait(PATIENCE)
            results[i] = jobs[i]()
        except BaseException as error:
            results[i] = error
    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(jobs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join(10 * PATIENCE)  # each of its requests has its own
        assert not t.is_alive(), "a client never got its answer"
    for r in results:
        if isinstance(r, BaseException):
            raise r
    return results
