"""The wordings of LongEmotion's tasks: what is asked, of the tested model, of the judge and of a helper that enriches."""

from __future__ import annotations

from typing import NamedTuple

PANAS = (
    "Interested Distressed Excited Upset Strong Guilty Scared Hostile Enthusiastic Proud Irritable Alert Ashamed Inspired "
    "Nervous Determined Attentive Jittery Active Afraid"
).split()
"""The twenty feelings of the questionnaire."""
ATTRIBUTES = {
    "causes": "what brought the trouble about, in the end or at once",
    "symptoms": "what body, mind and behavior showed, told or seen",
    "treatment_process": "the approaches and steps of the treatment",
    "characteristics_of_illness": "what marks the trouble and how it developed",
    "treatment_effect": "what the treatment changed",
}
"""What a summary of a counselling report must give, under the names of the published format."""
POINTS = ("factual_consistency", "completeness", "clarity")


class Aspect(NamedTuple):
    """One thing that a judge rates."""

    name: str
    about: str


STAGES: tuple[tuple[Aspect, ...], ...] = (
    (
        Aspect("alliance", "builds trust with empathy and without judging, so that the client feels safe"),
        Aspect("acceptance", "helps the client to express feelings such as fear or helplessness, and accepts them"),
        Aspect("assessment", "brings thoughts, behavior, feelings, relationships and meaning together into one picture"),
    ),
    (
        Aspect("patterns", "sees the client's automatic reactions, such as avoiding, blaming oneself, or quarrels"),
        Aspect("needs", "uncovers needs that are not met, such as safety, freedom, closeness or meaning"),
        Aspect("connections", "shows how thoughts, feelings, behavior and surroundings keep the trouble going"),
    ),
    (
        Aspect("restructuring", "tests thoughts for truth and use, and turns what must be into what may be"),
        Aspect(
            "transformation",
            "leads from fighting feelings to living with them, to the needs behind them and on to acts",
        ),
        Aspect("values", "ties change to what makes life worth living for the client, also where values are at odds"),
    ),
    (
        Aspect("growth", "looks back on progress and strengthens it as a story that hangs together"),
        Aspect("meaning", "turns what was gained into a view of life and plans for the future"),
        Aspect("autonomy", "strengthens the client's own means to cope and to grow on alone"),
    ),
)
"""What a counsellor's reply is rated by, in each of the four stages of a counselling."""
EXPRESSION = (
    Aspect("consistency", "the text fits the ratings, in kind and in strength of feeling"),
    Aspect("repetition", "it does not repeat itself; 100 is for no repetition at all"),
    Aspect("depth", "it is rich: mind, body and behavior, where feelings come from and where they lead, with details"),
    Aspect("cognition", "it shows how thoughts and feelings act on each other, and behavior fits both"),
    Aspect("reflection", "it looks at itself, learns from what was felt and names ways to do better"),
    Aspect("flow", "it reads well, is in order, and varies its sentences"),
)
STEPS = (
    "Rate each of these twenty feelings from 1 (hardly or not at all) to 5 (extremely), one a line, with a short reason: "
    + ", ".join(PANAS)
    + ".",
    "**Stage 1: Immediate Emotional Reaction** Tell in detail what you felt at once, what your body did, which thoughts and "
    "pictures came, and how your past and the people in it shaped that.",
    "**Stage 2: Cognitive Appraisal** Step back and tell how you made sense of it: as threat, chance or neither, by which "
    "beliefs and memories, and whether thinking made the feelings stronger or calmer.",
    "**Stage 3: Emotional Expression with Physiological Correlates** Tell how it showed: face, voice, posture, sensations, and "
    "whether you hid or played up anything, and why.",
    "**Stage 4: Emotional Regulation Strategies** Tell how you dealt with your feelings: which ways you tried, knowingly or "
    "not, and whom you turned to.",
    "**Stage 5: Reflective Integration into Future Behavior** Tell what you take from it: values and weak spots it showed, "
    "what you will do in situations like it, and any words to live by.",
)
"""What emotion expression goes through."""

CLASSIFY = """What does {subject} feel in the end, as the text has it?
Choices: {choices}
Give one of the choices as JSON and nothing else: {{"Emotion": "..."}}"""
DETECT = """All of the {count} texts above but one express the same emotion. Which one expresses another?
Give its number as JSON and nothing else: {{"index": ...}}"""
ANSWER = """Answer the question from the article above, in as few words as it takes, without explaining; to a yes-or-no \
question say yes or no.
Question: {question}"""
SUMMARIZE = (
    "Sum up the counselling report above as JSON with these keys, each a text:\n"
    + "\n".join(f'"{name}": {about}' for name, about in ATTRIBUTES.items())
    + "\nGive the JSON alone."
)
REPLY = """You are the counsellor. Give your next reply to the client: professional, with empathy, and helpful. Give this one \
reply alone, and do not go on with the conversation."""
IMAGINE = "Imagine that you are the one to whom the following happens."
EXPRESS = "Do the following in turn, and go into detail; begin each stage with its heading.\n\n" + "\n\n".join(STEPS)

RATE_SUMMARY = """Two summaries of one counselling case follow: one by an expert, and one by a model. Rate each of the five \
parts of the model's by itself against the same part of the expert's, from 1 (very poor) to 5 (excellent): factual_consistency \
(it agrees with the expert's), completeness (it has all that matters there), clarity (it is clear and hangs together).

The expert's summary:
{gold}

The model's summary:
{said}

Reply with JSON alone, in this form, for all of causes, symptoms, treatment_process, characteristics_of_illness and \
treatment_effect: {{"causes": {{"factual_consistency": 3, "completeness": 4, "clarity": 5}}, ...}}"""
RATE_REPLY = """You rate how a counsellor works. Below are a counselling so far and the counsellor's last reply. Rate the \
reply from 0 (absent or harmful) over 3 (adequate) to 5 (excellent) on each of these:
{aspects}

The counselling so far:
{history}

The counsellor's reply:
{said}

Reply with JSON alone, in this form: {form}"""
RATE_EXPRESSION = """Below is what somebody wrote who imagined a situation: first ratings of twenty feelings from 1 to 5 with \
reasons, then a text on what was felt and what came of it. Rate the text from 0 (very poor) to 100 (excellent) on each of these:
{aspects}

The situation:
{situation}

What was written:
{said}

Reply with JSON alone, in this form: {form}"""

ENRICH = {
    "emobench": "Look at the feelings in the following piece of text: in a few sentences say what happens, who is in it, what "
    "set off their feelings, what goes on in them and between them, and what matters most for telling what they feel.",
    "finentity": "Look at the following piece of a financial text: say which company or asset it is about, in what tone it "
    "speaks of it, and on what evidence. Do not add facts.",
    "detection": "Describe the emotion of the following text in short: which it is, how strong (low, middle, high), what sets "
    "it off, and in at most eight words what lies behind it.",
    "qa": "Leave out of the following piece of text all that has nothing to do with the question, and give what is left word "
    "for word.",
    "summary": "Leave out of the following piece of a counselling report all that does not answer the question, and give what "
    "is left word for word.",
    "conversation": "Below are the last turns of a counselling and pieces of what was said earlier. Do not reply to the "
    "client. Give first a sober statement of what is known that bears on it, then a warm description of the client's state.",
    "expression": "Sum up the following piece of what somebody wrote about a feeling: its tone and strength, how feelings and "
    "thoughts act on each other, and conflicts or changes.",
}
"""What a helper is asked about each piece, by part."""
QUERIES = (
    "What caused the person's psychological trouble, in the end or at once?",
    "Which symptoms of body, mind or behavior does the person show or tell of?",
    "Which approaches, techniques or steps of therapy were used in the counselling?",
    "What marks the psychological trouble, and how did it develop?",
    "What did the treatment bring about, and what changed in the person's condition?",
)
"""What is looked up for a summary, one for each attribute."""
