"""A sweep over two parameters: a job for each pair, then a table of what they found.

    torcctl daemon start
    python3 sweep.py
"""

import itertools
import sys

import torc

RATES = [0.5, 1.0, 2.0]
STEPS = [10, 100]
# Stands for a real computation: so many steps of a decay.
MODEL = "awk -v r={rate} -v n={steps} 'BEGIN {{ y = 1; for (i = 0; i < n; i++) y -= y * r / n; print y }}'"


def main() -> int:
    sweep = torc.Workflow("sweep", description="decay by rate and number of steps")
    for rate, steps in itertools.product(RATES, STEPS):
        sweep.add(f"rate{rate}_steps{steps}", MODEL.format(rate=rate, steps=steps), retries=1)

    with torc.Client() as client:
        done = client.wait(client.submit(sweep), timeout=600)
        found = {
            result.name: client.logs(result.job_id).text.strip()
            for result in client.results(done.id, status=["completed"])
        }

    print("rate  " + "".join(f"{steps:>12} steps" for steps in STEPS))
    for rate in RATES:
        cells = (found.get(f"rate{rate}_steps{steps}", "failed") for steps in STEPS)
        print(f"{rate:<6}" + "".join(f"{cell:>18}" for cell in cells))
    return 0 if done.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(main())
