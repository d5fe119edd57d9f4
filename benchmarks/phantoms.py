"""How fast phantoms are made, per finding, at 224 px."""

import time

from cases.phantom import FINDINGS, PhantomParameters, generate

COUNT = 40


def run() -> None:
    print("Phantoms at 224 px")
    for finding in FINDINGS:
        generate(PhantomParameters(seed=0, finding=finding))
        started = time.process_time()
        for seed in range(COUNT):
            generate(PhantomParameters(seed=seed, finding=finding))
        # Processor seconds of all threads, so that the figure is for one core.
        print(f"{finding:20}{COUNT / (time.process_time() - started):8.0f} images per processor second")
