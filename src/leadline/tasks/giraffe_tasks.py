"""Giraffe's tasks: LongChat-Lines, FreeFormQA and AlteredNumericQA (arXiv:2308.10882).

A suite: its name stands for the three. Pal, Karkhanis, Roberts, Dooley, Sundararajan, Naidu: "Giraffe: Adventures in Expanding
Context Lengths in LLMs", 2023; abacusai/Long-Context, Apache-2.0.
"""

members = ("longchat-lines", "wiki-qa", "wiki-qa(altered=true)")
