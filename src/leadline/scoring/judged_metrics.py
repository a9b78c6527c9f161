"""Metrics by name of the tasks with citations and emotions. Knows nothing of how they are computed."""

from __future__ import annotations

from leadline.scoring import citing, emotions
from leadline.scoring.peers import Metric

METRICS: dict[str, Metric] = {
    "l-citeeval/qa-f1": citing.qa_f1,
    "l-citeeval/rouge-1-recall": citing.rouge_1,
    "l-citeeval/rouge-l": citing.summary_rouge,
    "longemotion/qa-f1": emotions.qa_f1,
}
