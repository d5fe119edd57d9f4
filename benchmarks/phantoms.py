"""How fast phantoms are made on one core, per finding, at 224 px."""

import time

import cv2
from threadpoolctl import threadpool_limits

from cases.phantom import FINDINGS, PhantomParameters, generate

COUNT = 40


def run() -> None:
    cv2.setNumThreads(1)
    print("Phantoms at 224 px")
    with threadpool_limits(1):
        for finding in FINDINGS:
            generate(PhantomParameters(seed=0, finding=finding))
            started = time.process_time()
            for seed in range(COUNT):
                generate(PhantomParameters(seed=seed, finding=finding))
            print(f"{finding:20}{COUNT / (time.process_time() - started):8.0f} images per processor second")
