"""MIR-Bench by number of shots: 4 to 2,048 examples of a function, alone, as published (arXiv:2502.09933).

A suite: the ten numbers of the paper's tables, each as a task of its own length. A cell's length is the most that an item
may take; those that need more are reported as over the window.
"""

members = (
    "mir-bench(shots=4)",
    "mir-bench(shots=8)",
    "mir-bench(shots=16)",
    "mir-bench(shots=32)",
    "mir-bench(shots=64)",
    "mir-bench(shots=128)",
    "mir-bench(shots=256)",
    "mir-bench(shots=512)",
    "mir-bench(shots=1024)",
    "mir-bench(shots=2048)",
)
