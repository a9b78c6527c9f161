"""LV-Eval: what its construction promises, and its metric."""

import json
import random
import re

import pytest

from leadline import catalog
from leadline.data.haystack import Builder
from leadline.nouns import Answer, UserError
from leadline.tasks._replaced import Confusers, keyword, stranger, swap
from leadline.tasks.lv_eval import LvEval
from leadline.tasks.lv_eval_published import SETS, LvEvalPublished

from .fixtures._rows import longbench, write

RIVERS = [
    (
        "Where does the Alder rise?",
        "The Alder is a long river. It rises in Northmoor, far from the sea. Northmoor is cold.",
        "Northmoor",
    ),
    ("Where does the Birch rise?", "The Birch is a short river. It rises in Eastfield. People fish there.", "Eastfield"),
    ("When was the mill built?", "An old mill stands by the lake. The mill was built in 1888.", "1888"),
    ("Is the mill open?", "The old mill is open to all. Yes, also on Sundays.", "yes"),
]


def rows(**changed):
    return [longbench(i, input=q, context=c, answers=[a], **changed) for i, (q, c, a) in enumerate(RIVERS)]


def items(tmp_path, data, **settings):
    task = LvEval(data=write(tmp_path / "short.jsonl", data), **settings)
    return task, {item.meta["row"]: item for item in task.items(len(data))}


def said(task, item, text):
    return task.score(item.answers, item, Answer(text=text)).value


def test_the_keyword_is_replaced_everywhere(tmp_path, tokenizer):
    task, found = items(tmp_path, rows())
    for name, old in (("row0", "Northmoor"), ("row2", "1888")):
        item = found[name]
        (new,) = item.answers
        assert item.meta["old"] == old and new != old and not set(new.lower().split()) & set(old.lower().split())
        assert not re.search(rf"\b{old}\b", item.evidence[0] + item.question), "no old string is left"
        assert item.evidence[0].count(new) == RIVERS[int(name[-1])][1].count(old)
        content = Builder(tokenizer).build(item, 3000).messages[-1]["content"]
        assert old not in content, "nor in the noise, which is the other documents"
        assert said(task, item, new) == 1 and said(task, item, old) == 0
    assert re.fullmatch(r"\d{4}", found["row2"].answers[0]) and not set(found["row2"].answers[0]) & set("18")
    assert found["row3"].answers == ("yes",) and found["row3"].facets["replaced"] == "no", "a yes stays a yes"


def test_the_question_is_replaced_in_too(tmp_path):
    data = [
        longbench(0, input="Is it northmoor or Eastfield?", context="It is Northmoor.", answers=["Northmoor, in the north"])
    ]
    data[0]["answer_keywords"] = "Northmoor"
    task, found = items(tmp_path, data)
    new = found["row0"].meta["new"]
    assert f"Is it {new} or Eastfield?" in found["row0"].question and found["row0"].answers == (f"{new}, in the north",)
    assert found["row0"].meta["keyword"] == new and said(task, found["row0"], new) > 0 == said(
        task, found["row0"], "in the north"
    )


def test_what_is_not_to_be_replaced_stays(tmp_path):
    task, found = items(tmp_path, rows(), replace=False)
    assert found["row0"].answers == ("Northmoor",) and found["row0"].evidence == (RIVERS[0][1],)
    assert {item.facets["replaced"] for item in found.values()} == {"no"}


def test_confusing_facts_are_the_rows_or_the_nearest(tmp_path):
    data = rows()
    data[1] |= {"confusing_facts": ["The Beech rises in Westmark."], "answer_keywords": "Eastfield"}
    task, found = items(tmp_path, data, confusing=1)
    assert found["row0"].distractors == ("It rises in Eastfield.",), "the sentence of another document that shares most"
    assert found["row1"].distractors == ("The Beech rises in Westmark.",)
    for item in found.values():
        assert not any(item.meta["new"] and item.meta["new"] in d for d in item.distractors)
        assert not any(item.meta["old"] and item.meta["old"] in d for d in item.distractors), "it holds no keyword"
    assert not items(tmp_path, data, confusing=0)[1]["row1"].distractors


def test_nearest_sentences_against_a_slow_reference():
    documents = [f"{c} More of it here." for _, c, _ in RIVERS]
    confusers = Confusers(documents, "en")
    for question, own, answer in ((q, documents[i], a) for i, (q, _, a) in enumerate(RIVERS)):
        told = []
        for document in documents:
            for sentence in re.findall(r"[^.]+\.", document):
                sentence = sentence.strip()
                had, asked = (
                    {re.sub(r"(?<=...)s$", "", w) for w in re.findall(r"\w+", t.lower())} for t in (sentence, question)
                )
                same = had & asked - {"the", "a", "an"}
                if document != own and same and answer.lower() not in sentence.lower():
                    told.append(sentence)
        got = confusers.nearest(question, own, [answer], 99)
        assert set(got) == set(told)


def test_the_world_confuses_by_neighbours():
    for spec in ("lv-eval(confusing=8)", "lv-eval(hops=3, confusing=6)"):
        for item in catalog.make(spec, "tasks").items(9, seed=2):
            facts = [d for d in item.distractors]
            assert len(facts) == (8 if item.hops == 1 else 6)
            assert len(set(facts)) == len(facts)
            value = item.answers[0]
            assert not any(re.search(rf"(?<!\w){re.escape(value)}(?!\w)", d) for d in facts), (
                "no confusing fact holds the answer"
            )
            assert not any(subject in d for d in facts for subject in item.avoid), "another subject, always"
            assert len(item.evidence) == item.hops


def test_the_same_question_at_every_level(tokenizer):
    item = catalog.make("lv-eval(hops=2)", "tasks").items(1)[0]
    short, long = (Builder(tokenizer).build(item, n) for n in (2048, 8192))
    assert short.answers == long.answers and short.question == long.question
    for prompt in (short, long):
        content = prompt.messages[-1]["content"]
        assert all(text in content for text in (*item.evidence, *item.distractors)) and "### Passage 1\n" in content


def test_chinese_rows(tmp_path, tokenizer):
    data = [
        longbench(
            i, language="zh", input=f"{n}河从哪里流出？", context=f"{n}河很长。{n}河从{t}流出，流向大海。{t}很冷。", answers=[t]
        )
        for i, (n, t) in enumerate((("青", "北原山"), ("白", "南岭村"), ("黑", "西坡湖")))
    ]
    task, found = items(tmp_path, data, confusing=1)
    item = found["row0"]
    (new,) = item.answers
    assert not set(new) & set("北原山") and "北原山" not in item.evidence[0] and item.evidence[0].count(new) == 2
    assert item.distractors[0].endswith("流向大海。") and new not in item.distractors[0]
    assert item.instruction.startswith("请") and item.facets["language"] == "zh"
    assert said(task, item, new) == 1 and said(task, item, "别的地方") == 0
    assert "北原山" not in Builder(tokenizer).build(item, 4000).messages[-1]["content"]


def test_the_gate_of_the_metric(tmp_path):
    row = longbench(
        0, input="When?", context="In spring.", answers=["Martin began to sell her books in 2020."], answer_keywords="2020"
    )
    task, found = items(tmp_path, [row], replace=False)
    assert said(task, found["row0"], "Martin began to sell her books then.") == 0, "whatever else overlaps"
    assert said(task, found["row0"], "in 2020") > 0


def test_printed_cases_through_the_published_task(shared, tmp_path):
    """The four cases that the authors print, as their own function scores them today."""
    compared = 0
    for case in json.loads((shared / "data/lveval/metric_cases.json").read_text())["cases"]:
        known = case.get("answers_keyword") or case.get("answers_keywords")
        zh = "克里斯汀" in known
        row = longbench(0, input=case["input"], answers=case["answers"], answer_keywords=known, language="zh" if zh else "en")
        name = "lic_mixup" if zh else "hotpotwikiqa_mixup"
        task = LvEvalPublished(data=write(tmp_path / f"{compared}.jsonl", [row]), dataset=name)
        (item,) = task.items(1)
        assert said(task, item, case["pred"]) == pytest.approx(case["recomputed"]["with_gold_ans"], abs=1e-6)
        compared += 1
    assert compared == 4


def test_metric_vectors_through_the_tasks(shared, tmp_path):
    """The peers' lveval rows, 189 of them, scored by the published task."""
    import gzip

    names = {
        "qa_f1_score_with_gold_ans": "hotpotwikiqa_mixup",
        "qa_f1_zh_score_with_gold_ans": "cmrc_mixup",
        "rouge_zh_score_blacklist": "dureader_mixup",
    }
    with gzip.open(shared / "data/metric-vectors/vectors.jsonl.gz", "rt", encoding="utf-8") as file:
        vectors = [row for line in file if (row := json.loads(line))["suite"] == "lveval"]
    assert len(vectors) == 189
    tasks = {}
    for row in vectors:
        name = names[row["metric"]]
        if name not in tasks:
            tasks[name] = LvEvalPublished(data=write(tmp_path / f"{name}.jsonl", [longbench(0)]), dataset=name)
        (item,) = tasks[name].items(1)
        known = {**item.meta, "keyword": next((row[k] for k in ("gold_ans", "keyword") if row.get(k)), "")}
        item = type(item)(**{**item.__dict__, "meta": known, "prefill": ""})
        got = tasks[name].score([row["ground_truth"]], item, Answer(text=row["prediction"])).value
        assert got == pytest.approx(row["peer_score"], abs=1e-6) or not row["prediction"].strip(), row


def test_published_sets(tmp_path):
    assert len(SETS) == 11
    write(tmp_path / "factrecall_zh_64k.jsonl", [longbench(0, language="zh", answers=["贝多芬"])])
    task = LvEvalPublished(data=str(tmp_path), dataset="factrecall_zh", level="64k")
    (item,) = task.items(1)
    assert item.answer_tokens == 16 and item.facets == {"language": "zh", "hops": "single"}
    assert said(task, item, "贝克汉姆。") == 0 and said(task, item, "贝多芬") == 1


def test_parts():
    rng = random.Random(0)
    assert swap("Rome, ROME and Romeo", "rome", "Ur", "en") == "Ur, Ur and Romeo"
    assert keyword(["yes", "Paris", "Rome."], "In Rome.", "en") == "Rome" and keyword(["否"], "否", "zh") == ""
    for old in ("New York", "river", "1,204", "7"):
        new = stranger(old, f"It was {old}.", "en", rng)
        assert new != old and (new.istitle() if old.istitle() else True)
    assert not set(stranger("北京", "他在北京。", "zh", rng)) & set("北京")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("lv-eval(hops=5)", "from 1 to 4"),
        ("lv-eval(confusing=9)", "from 0 to 8"),
        ("lv-eval(hops=2, data=x.jsonl)", "is for the invented world"),
        ("lv-eval-published(level='8k')", "16k, 32k"),
        ("lv-eval-published(noise=prose)", "noise must be one of none"),
    ],
)
def test_what_is_wrong_is_said(spec, says):
    with pytest.raises(UserError, match=says):
        catalog.make(spec, "tasks")


def test_bad_data(tmp_path):
    with pytest.raises(UserError, match="line 1: 'answers' is empty"):
        items(tmp_path, [longbench(0, answers=[])])
    with pytest.raises(UserError, match="holds 4 questions; ask for at most"):
        LvEval(data=write(tmp_path / "x.jsonl", rows())).items(5)
