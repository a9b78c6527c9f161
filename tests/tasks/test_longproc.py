"""The six procedures: generators against slow, obvious references; marks against the peer's, row by row."""

import gzip
import itertools
import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import pytest

from leadline import catalog
from leadline.nouns import Answer, UserError
from leadline.scoring import longproc_metrics as m
from leadline.scoring import sandbox
from leadline.tasks import countdown, path_traversal, tom_tracking, travel_planning

PROCEDURES = ("html-to-tsv", "pseudo-to-code", "path-traversal", "tom-tracking", "countdown", "travel-planning")


def rows(shared, name):
    path = shared / "data/longproc" / name
    if name.endswith(".json"):
        return json.loads(path.read_text())
    return [json.loads(line) for line in gzip.open(path, "rt")]


def peers(shared, dataset):
    return [r for r in rows(shared, "predictions.damaged.jsonl.gz") if r["dataset"] == dataset]


# The peer's rows


def test_routes_equal_the_peers(shared):
    gold = rows(shared, "path_traversal_0.5k.000-059.jsonl.gz")
    got = [
        (m.mark_route(r["prediction"], gold[r["i"]]["answer_nl"], peer=True), r) for r in peers(shared, "path_traversal_0.5k")
    ]
    assert len(got) == 60 and all(marks == r["peer_metrics"] for marks, r in got)


def test_beliefs_equal_the_peers(shared):
    gold = rows(shared, "tom_tracking_0.5k.000-069.jsonl.gz")
    got = [
        (m.mark_beliefs(r["prediction"], gold[r["i"]]["solution"], peer=True), r) for r in peers(shared, "tom_tracking_0.5k")
    ]
    assert len(got) == 70 and all(marks == r["peer_metrics"] for marks, r in got)


def test_countdowns_equal_the_peers(shared):
    got = [(m.mark_countdown(r["prediction"], r["reference_output"], peer=True), r) for r in peers(shared, "countdown_0.5k")]
    assert len(got) == 70 and all(marks == r["peer_metrics"] for marks, r in got)


def test_tables_equal_the_peers(shared):
    got = [(m.mark_table(r["prediction"], r["reference"], peer=True), r) for r in peers(shared, "html_to_tsv_0.5k")]
    assert len(got) == 40 and all(marks == r["peer_metrics"] for marks, r in got)


@pytest.mark.skipif(not sandbox.kind(), reason="no sandbox to run code in")
@pytest.mark.parametrize("n", [12, pytest.param(42, marks=pytest.mark.slow)])
def test_programs_equal_the_peers(shared, n):
    """Each takes most of a second to compile."""
    gold = rows(shared, "pseudo_to_code_0.5k.000-041.jsonl.gz")
    told = peers(shared, "pseudo_to_code_0.5k")[:n]
    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(lambda r: m.mark_code(r["prediction"], testcases=gold[r["i"]]["testcases"], peer=True), told))
    assert len(got) == n and got == [r["peer_metrics"] for r in told]


def test_means_equal_the_peers_table(shared):
    """Through the metrics that `leadline score --metric` names."""
    told = rows(shared, "scores.json")["peer"]
    gold = rows(shared, "path_traversal_0.5k.000-059.jsonl.gz")
    mine = peers(shared, "path_traversal_0.5k")
    for name, figure in (("longproc/path-traversal", "accuracy"), ("longproc/path-traversal-partial", "partial_accuracy")):
        values = [m.METRICS[name](r["prediction"], [gold[r["i"]]["answer_nl"]]) for r in mine]
        assert sum(values) / len(values) == pytest.approx(told["path_traversal_0.5k"][figure], abs=1e-6)
    values = [m.METRICS["longproc/html-to-tsv"](r["prediction"], [r["reference"]]) for r in peers(shared, "html_to_tsv_0.5k")]
    assert sum(values) / len(values) == pytest.approx(told["html_to_tsv_0.5k"]["f1"], abs=1e-6)


# The published files


def test_countdown_traces_are_the_authors(shared):
    published = rows(shared, "countdown_0.5k.jsonl.gz")
    for row in published:
        trace = countdown.demonstration(row["nums"], row["target"])
        told = row["demonstration"].replace("</Search Procedure>\n", "").replace("<Search Procedure>", "# Search Procedure")
        assert trace == told
    for r in peers(shared, "countdown_0.5k"):
        assert countdown.demonstration(published[r["i"]]["nums"], published[r["i"]]["target"]) == r["reference_output"]


def test_tracked_beliefs_are_the_authors(shared):
    for row in rows(shared, "tom_tracking_0.5k.000-069.jsonl.gz"):
        who, what = re.fullmatch(r"Where does (\w+) believe the (.+) is\?", row["question"]).groups()
        assert tom_tracking.solve(row["story"].split("\n"), who, what) == row["solution"].strip()


def test_planned_trips_are_the_authors(shared):
    path = shared / "data/longproc/travel_planning_icl_examples.json"
    for item, row in (
        (i, r) for i in catalog.make(f"travel-planning(data='{path}')", "tasks").items(4) for r in rows(shared, path.name)
    ):
        if row["disambig_question_text"].strip() == item.evidence[0]:
            assert row["ground_truth_plan"].split("\n\n")[1] in item.answers[0]
            cities = list(
                zip(row["ground_truth_cities"].split("**"), map(int, row["ground_truth_durations"].split("**")), strict=True)
            )
            assert m.stays(m.tagged(item.answers[0], "Plan")) == cities


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("path-traversal", "path_traversal_0.5k.000-059.jsonl.gz"),
        ("tom-tracking", "tom_tracking_0.5k.000-069.jsonl.gz"),
        ("countdown", "countdown_0.5k.jsonl.gz"),
    ],
)
def test_published_files_load(shared, name, file):
    task = catalog.make(f"{name}(data='{shared / 'data/longproc' / file}')", "tasks")
    assert task.natural
    for item in task.items(8):
        assert task.score(item.answers, item, Answer(text=task.gold(item.answers, item))).value == 1


# Marks by hand


def test_a_route_is_right_up_to_its_first_wrong_line():
    gold = "a\nb\nc\nd"
    at = {
        peer: lambda text, p=peer: m.mark_route(f"<Route>\n{text}\n</Route>", gold, peer=p)["partial_accuracy"]
        for peer in (True, False)
    }
    assert (at[True]("a\nX\nc\nd"), at[False]("a\nX\nc\nd")) == (0.5, 0.25), "the peer pays the wrong line"
    assert at[True]("a\nb") == at[False]("a\nb") == 0.5
    assert (at[True](""), at[False]("")) == (0.25, 0)
    assert (at[True]("a \nb\nc\nd"), at[False]("a \nb\nc\nd.")) == (0.25, 1)
    assert m.mark_route("a\nb\nc\nd", gold)["extraction_rate"] == 0


def test_a_belief_is_right_up_to_its_first_wrong_step():
    gold = "\n".join(f"- Step {i}: box {i}" for i in range(4))
    assert m.mark_beliefs(gold.replace("box 2", "box 9"), gold)["partial_accuracy"] == 0.5
    loud = gold.upper().replace("- STEP", "-  The STEP")
    assert m.mark_beliefs(loud, gold, peer=True)["accuracy"] == 1
    note = gold + "\n- That is all."
    assert (m.mark_beliefs(note, gold, peer=True)["accuracy"], m.mark_beliefs(note, gold)["accuracy"]) == (0, 1)
    assert (m.mark_beliefs("?", gold, peer=True)["extraction_rate"], m.mark_beliefs("?", gold)["extraction_rate"]) == (1, 0)


def test_a_search_is_right_up_to_its_first_wrong_step():
    numbers, target = countdown.EXAMPLES[1]
    gold = countdown.demonstration(numbers, target)
    bare = gold.split("\n\nNow we")[0]
    steps = len(bare.split("\n")) - 2
    assert m.mark_countdown(bare, gold) == {"accuracy": 0, "partial_accuracy": 1, "extraction_rate": 0}
    assert m.mark_countdown(bare, gold, peer=True)["partial_accuracy"] == (steps - 1) / steps, "the peer never reaches the last"
    one = "\n".join(bare.split("\n")[:2])
    assert (m.mark_countdown(one, gold)["partial_accuracy"], m.mark_countdown(one, gold, peer=True)["partial_accuracy"]) == (
        0,
        -1 / steps,
    )
    loose = bare.replace("Current number set:", "Numbers now:")
    assert m.mark_countdown(loose, gold)["partial_accuracy"] > 0, "what follows the equation is free"


@pytest.mark.parametrize(
    ("solution", "right"),
    [
        ("2 + 3 = 5\n5 * 4 = 20\n20 - 1 = 19", True),
        ("2+3=5\n 4*5=20\n20-1=19", True),
        ("2 + 3 = 5\n5 * 4 = 20\n20 - 1 = 18", False),
        ("2 + 3 = 5\n5 * 4 = 20\n20 - 0 = 20", False),
        ("2 + 2 = 4\n4 * 4 = 16\n16 + 3 = 19", False),
        ("2 + 3 + 4 = 9\n9 + 1 = 10\n10 + 9 = 19", False),
        ("2 + 3 = 5\n5 * 4 = 20", False),
        ("4 / 0 = 1\n5 * 4 = 20\n20 - 1 = 19", False),
        ("__import__('os') + 3 = 5\n5 * 4 = 20\n20 - 1 = 19", False),
        ("", False),
    ],
)
def test_solutions_are_parsed_and_never_run(solution, right):
    assert m.solves([2, 3, 4, 1], 19, solution) is right


def test_a_trip_is_right_when_its_stays_are():
    trip = travel_planning.Trip({"Bol": 3, "Arl": 2}, {}, frozenset({("Arl", "Bol")}))
    gold = trip.trace()
    lines = [line for line in gold.replace("Output the plan in the required format:", "").split("\n") if line.strip()]
    plan = m.tagged(gold, "Plan")
    assert m.mark_trip(f"<Plan>{plan}</Plan>", gold)["accuracy"] == 1, "the search is not needed"
    wrong = f"<Plan>{plan.replace('Arl', 'Cam')}</Plan>"
    assert m.mark_trip(wrong, gold) == {"accuracy": 0, "partial_accuracy": 0, "extraction_rate": 1}
    assert m.mark_trip(gold.split("<Plan>")[0], gold)["partial_accuracy"] == pytest.approx((len(lines) - 5) / len(lines))
    assert m.mark_trip(gold.split("<Plan>")[0], gold, peer=True)["partial_accuracy"] == pytest.approx(
        (len(lines) - 6) / len(lines)
    )
    longer = f"<Plan>{plan}\n**Day 4:** Fly from Bol to Cam.\n**Day 4-5:** Visit Cam for 2 days.</Plan>"
    assert (m.mark_trip(longer, gold, peer=True)["accuracy"], m.mark_trip(longer, gold)["accuracy"]) == (1, 0)


def test_a_table_is_right_row_by_row():
    gold = "n\tv\nK\t1\nB\t2\nB\t2"
    assert m.mark_table("```tsv\nn\tv\nB\t2\nthe C!\t1\n```", gold, peer=True) == {
        "f1": pytest.approx(2 * 0.5 * (2 / 3) / (0.5 + 2 / 3)), "precision": 0.5, "recall": pytest.approx(2 / 3), "extraction_rate": 1
    }  # fmt: skip
    assert m.mark_table("n\tv\nB\t2\nK\t1\nB", gold)["recall"] == pytest.approx(2 / 3), "ours: one row stands for one"
    assert m.mark_table("n\tv\nB\t2\nK\t1\nB", gold, peer=True)["recall"] == 1, "the peer: one row stands for its copies"
    assert m.mark_table("n\tv\nB\t2\nK\t1\nB", gold)["precision"] == 1, "a last line of another width is no row"
    assert m.mark_table("n\tv\nB\nB\t2", gold)["precision"] == 0.5, "and one before it is a row of N/A"
    assert m.mark_table("n\nA\nB", gold)["extraction_rate"] == 0, "another width"
    assert m.mark_table("", gold)["f1"] == 0


@pytest.mark.skipif(not sandbox.kind(), reason="no sandbox to run code in")
def test_a_program_is_right_when_it_prints_what_it_should():
    tests = [[["2"], ["4 "]], [["5"], ["10"]]]
    code = '```c++\nint main() { int x; cin >> x; cout << 2 * x << " "; }\n```'
    assert m.mark_code(code, testcases=tests)["accuracy"] == 1
    assert m.mark_code(code, testcases=tests, peer=True)["accuracy"] == 0, "the peer wants every blank"
    bad = "```cpp\nint main() { while (true) cout << 1; }\n```"
    assert m.mark_code(bad, testcases=tests) == {"accuracy": 0, "partial_accuracy": 0, "extraction_rate": 1}
    assert m.mark_code("int main() {}", testcases=tests)["extraction_rate"] == 0
    with pytest.raises(UserError, match="testcases"):
        m.mark_code(code)


# The generators


@pytest.mark.parametrize("output", ["0.5k", "2k", "8k"])
def test_routes_lead_from_start_to_end(output):
    for item in catalog.make(f"path-traversal(output={output})", "tasks").items(3):
        lines = [
            re.fullmatch(r"You can travel from (\w+) to (\w+) by (\w+)\.", t).groups()
            for t in (*item.evidence, *item.distractors)
        ]
        onward = {a: (b, how) for a, b, how in lines}
        assert len(onward) == len(lines) == 49 * 4 ** ("0.5k", "2k", "8k").index(output), "every city has one line"
        city, end = re.match(r"Give the route from (\w+) to (\w+),", item.question).groups()
        said = []
        while city != end:
            there, how = onward[city]
            said.append(f"From {city}, take a {how} to {there}.")
            city = there
        assert item.answers[0] == "<Route>\n" + "\n".join(said) + "\n</Route>"


def test_beliefs_follow_what_is_seen():
    """Against a reading of the story that keeps sets of who is where, instead of the trace's way."""
    for item in catalog.make("tom-tracking(output=2k)", "tasks").items(5):
        who, what = re.search(r"Where does (\w+) believe the (.+) is\?", item.question).groups()
        room, spot, belief, seen = None, None, None, []
        for told in item.evidence:
            text = told.split(": ", 1)[1].rstrip(".")
            for clause in re.split("; |, and ", text):
                mine = text.startswith(who) or clause.startswith(who)
                if m_ := re.search(rf"^{who} is in the (\w+)", clause):
                    room = m_[1]
                elif mine and (m_ := re.search(r"(?:moves to|enters) the (\w+)$", clause)):
                    room = m_[1]
                elif mine and clause.endswith("leaves the room"):
                    room = None
                if m_ := re.search(rf"the {what} (?:is on|to) the (.+)$", clause):
                    spot = m_[1]
            if room and spot.startswith(f"{room}'s"):
                belief = spot
            seen.append(f"{who}'s belief on {what}: {belief}}}")
        assert [line.split("; ")[-1] for line in item.answers[0].split("\n")[1:-1]] == seen


def test_searches_find_the_first_solution():
    """Against a search that keeps no trace: the same equations, and none before them."""

    def first(numbers, target):
        for i, j in itertools.combinations(range(len(numbers)), 2):
            b, a = sorted((numbers[i], numbers[j]))
            left = [n for k, n in enumerate(numbers) if k not in (i, j)]
            for sign, value in (("+", a + b), ("-", a - b), ("*", a * b), ("/", a / b if b else -1)):
                if value < 0 or value != int(value) or value >= 2000:
                    continue
                step = f"{a} {sign} {b} = {int(value)}"
                if not left and value == target:
                    return [step]
                if left and (rest := first([int(value), *left], target)):
                    return [step, *rest]
        return None

    for size, (low, high) in zip(("0.5k", "2k", "8k"), countdown.LENGTHS, strict=True):
        for item in catalog.make(f"countdown(output={size})", "tasks").items(4):
            *numbers, target = map(int, re.findall(r"\d+", item.evidence[0]))
            assert m.tagged(item.answers[0], "Solution").split("\n") == first(numbers, target)
            assert low - 100 <= len(item.answers[0]) <= high + 100


def test_trips_have_one_plan():
    """Against all orders of the cities."""
    for item in catalog.make("travel-planning(output=2k)", "tasks").items(6):
        stay = {
            c: int(d)
            for text in item.evidence
            if (m_ := re.match(r"The stay in (\w+) is for (\d+)", text))
            for c, d in [m_.groups()]
        }
        fixed = {
            c: int(d)
            for text in item.evidence
            if (m_ := re.search(r"in (\w+) is for .* fixed: from day (\d+)", text))
            for c, d in [m_.groups()]
        }
        flights = {tuple(re.findall(r"(\w+) to (\w+)\.", text)[0]) for text in item.evidence if "flight" in text}
        good = []
        for order in itertools.permutations(stay):
            day, start = 1, {}
            for city in order:
                start[city] = day
                day += stay[city] - 1
            if all(start[c] == d for c, d in fixed.items()) and all(pair in flights for pair in itertools.pairwise(order)):
                good.append([(city, stay[city]) for city in order])
        assert good == [m.stays(m.tagged(item.answers[0], "Plan"))]


class Cells(HTMLParser):
    """Text by the class of its element, entry by entry."""

    def __init__(self):
        super().__init__()
        self.rows, self.mark = [], None

    def handle_starttag(self, tag, attributes):
        marks = dict(attributes).get("class", "")
        if tag in ("table", "div", "dl"):
            self.rows.append({})
        self.mark = marks if tag in ("td", "b", "dd") else None

    def handle_endtag(self, tag):
        self.mark = None

    def handle_data(self, data):
        if self.mark:
            self.rows[-1][self.mark] = self.rows[-1].get(self.mark, "") + data


def test_tables_are_what_a_parser_reads():
    from leadline.tasks.html_to_tsv import CATALOGS

    kinds = set()
    for item in catalog.make("html-to-tsv", "tasks").items(24):
        fields = dict(CATALOGS[re.search(r"page above about (.+?), extract", item.question)[1]])
        page = Cells()
        page.feed("\n".join(item.evidence))
        rule = re.search(r"whose (\w+) is (.+)\.", item.question)
        asked = re.findall(r"\(\d\) ([^;\n]+)", item.question)
        found = [
            "\t".join(row.get(fields[name]) or "N/A" for name in asked)
            for row in page.rows
            if not rule or row.get(fields[rule[1].capitalize()]) == rule[2]
        ]
        assert item.answers[0] == "```tsv\n" + "\n".join(["\t".join(asked), *found]) + "\n```"
        assert " & " not in "".join(item.evidence)
        kinds |= {bool(rule), item.evidence[0][:3], *(["&"] if " & " in item.answers[0] else [])}
    assert kinds == {True, False, "<ta", "<di", "<dl", "&"}


def test_programs_are_told_line_by_line():
    for output in ("0.5k", "2k", "8k"):
        for item in catalog.make(f"pseudo-to-code(output={output})", "tasks").items(3):
            code = item.answers[0].split("\n")[1:-1]
            assert len(item.evidence) == len(code)
            assert code[0] == "int main() {" and code[-1] == "}"
            assert len(item.meta["testcases"]) == 10


@pytest.mark.parametrize("name", PROCEDURES)
@pytest.mark.parametrize("output", ["0.5k", "2k", "8k"])
def test_sizes_grow_and_fit_their_room(name, output):
    task = catalog.make(f"{name}(output={output})", "tasks")
    sizes = [len(item.answers[0]) for item in task.items(3)]
    low, high = {"0.5k": (400, 4000), "2k": (1900, 14_000), "8k": (8000, 60_000)}[output]
    assert all(low <= n <= high for n in sizes), sizes
    assert all(item.answer_tokens >= len(item.answers[0]) / 2 for item in task.items(3))


# Replies and users


def test_a_reply_that_ran_out_of_room_is_marked_as_far_as_it_went():
    task = catalog.make("path-traversal", "tasks")
    item = task.items(1)[0]
    half = "\n".join(item.answers[0].split("\n")[:10])
    cut = task.score(item.answers, item, Answer(text=half, stop="length"))
    assert (cut.value, cut.audit, cut.parts["extraction_rate"]) == (0, "cut off", 0)
    told = task.score(item.answers, item, Answer(text="I would take the bus."))
    assert (told.value, told.audit) == (0, "format not found")
    steps = catalog.make("tom-tracking", "tasks")
    story = steps.items(1)[0]
    some = "\n".join(story.answers[0].split("\n")[:5])
    assert steps.score(story.answers, story, Answer(text=some, stop="length")).parts["partial_accuracy"] == pytest.approx(
        4 / 11
    )


def test_hub_rows_are_asked_as_they_are(tmp_path):
    path = tmp_path / "hub.jsonl"
    row = {"id": "1", "input_prompt": "Find the way.", "reference_output": "From A, take a bus to B.", "metadata": "{}"}
    path.write_text(json.dumps(row))
    item = catalog.make(f"path-traversal(data='{path}')", "tasks").items(1)[0]
    assert (item.question, item.answers) == ("Find the way.", ("<Route>\nFrom A, take a bus to B.\n</Route>",))
    with pytest.raises(UserError, match="test cases"):
        catalog.make(f"pseudo-to-code(data='{path}')", "tasks").items(1)


def test_bad_data_is_said(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_text('{"nums": [1, 1, 1, 1], "target": 50}\n')
    with pytest.raises(UserError, match="50 cannot be made"):
        catalog.make(f"countdown(data='{path}')", "tasks").items(1)
    with pytest.raises(UserError, match="context_nl"):
        catalog.make(f"path-traversal(data='{path}')", "tasks").items(1)
    with pytest.raises(UserError, match="holds 1 items"):
        catalog.make(f"countdown(data='{path}')", "tasks").items(2)
    with pytest.raises(UserError, match="0.5k, 2k, 8k"):
        catalog.make("countdown(output=4k)", "tasks")
    path = tmp_path / "trips.jsonl"
    path.write_text(json.dumps({"constraints": [{"city": "A"}], "connected_cities": [], "disambig_question_text": "?"}))
    with pytest.raises(UserError, match="not in the format"):
        catalog.make(f"travel-planning(data='{path}')", "tasks").items(1)
    path = tmp_path / "pages.jsonl"
    page = {"html_path": "no.html", "task_topic": "", "task_description": "", "gt": "a\n1", "tsv_header": "a"}
    path.write_text(json.dumps(page))
    with pytest.raises(UserError, match="webpage folder"):
        catalog.make(f"html-to-tsv(data='{path}')", "tasks").items(1)


def test_suite_is_the_six():
    members = catalog.expand(catalog.parse("longproc(output=2k)"), "tasks")
    assert [s.name for s in members] == list(PROCEDURES)
    assert all(catalog.make(s, "tasks").output == "2k" for s in members)


def test_towns_differ():
    from leadline.tasks._procedures import towns

    assert len(set(towns(random.Random(1), 1400))) == 1400
    assert path_traversal.MEANS
