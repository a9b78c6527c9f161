"""Needle Threading: one, several and conditional needles, one thread and several (arXiv:2411.05000).

A suite: its name stands for the five tasks. Roberts, Han, Albanie: "Needle Threading: Can LLMs Follow Threads through
Near-Million-Scale Haystacks?", ICLR 2025.
"""

members = (
    "needle-threads(kind=single)",
    "needle-threads(kind=multiple)",
    "needle-threads(kind=conditional)",
    "needle-threads(kind=thread)",
    "needle-threads(kind=threads)",
)
