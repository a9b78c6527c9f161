"""What answers are worth and how sure that is: extraction, metrics, statistics, LongScore, breakdown length.

Knows nothing about tasks, models, runs or how prompts are made.
"""
