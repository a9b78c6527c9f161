"""LongEmotion: emotional intelligence over long text: recognising, knowing and answering with empathy; six tasks, seven files.

Liu, Xiong, Hu and others 2025, arXiv:2509.07403; LongEmotion/LongEmotion. The last three are rated by --role judge=MODEL. Its
retrieval is --pipeline rag, its five-stage pipeline --pipeline coem, the chat of emotion expression --pipeline stages.
"""

id = "longemotion"
members = (
    "longemotion-part(part=emobench)",
    "longemotion-part(part=finentity)",
    "longemotion-part(part=detection)",
    "longemotion-part(part=qa)",
    "longemotion-part(part=summary)",
    "longemotion-part(part=conversation)",
    "longemotion-part(part=expression)",
)
