"""LoCoBench's metrics against what the released evaluator gives for invented files, and the score made of them."""

import json

import pytest

from leadline.nouns import UserError
from leadline.scoring import locobench_metrics as m
from leadline.scoring.locobench_code import METRICS, Scenario
from leadline.scoring.metrics import score_file

SHOP = '''"""Orders of a shop."""
import json
from dataclasses import dataclass

from shop.prices import price_of


@dataclass
class Order:
    """What a customer wants."""

    items: list

    def total(self) -> float:
        # Prices come from elsewhere.
        if len(self.items) == 0:
            raise ValueError("an order needs items")
        return sum(price_of(item) for item in self.items)


def load_orders(path: str) -> list:
    """Read orders from a file."""
    with open(path) as handle:
        return [Order(row) for row in json.load(handle)]
'''
PRICES = """PRICES = {"soap": 2, "rope": 5}


def price_of(item):
    try:
        return PRICES[item]
    except KeyError:
        return 0


def setPrice(item, newPrice):
    global PRICES
    PRICES[item] = newPrice
"""
TEST = """import unittest
from shop.orders import Order


class OrderTest(unittest.TestCase):
    def test_total(self):
        self.assertEqual(Order(["soap"]).total(), 2)
"""
GO = """package shop

import "fmt"

type Reader interface {
	Read() error
}

func GetPrice(name string) int {
	var cachedPrice = 3
	if err != nil {
		return err
	}
	mutex.lock()
	return cachedPrice
}
"""
CASES = {
    "one file": (
        {"orders.py": SHOP},
        "Add a check of Orders and update the Price list",
        "code_comprehension",
        ["orders.py", "shop/prices.py"],
        "Customers create an order.",
    ),
    "three files": (
        {"shop/orders.py": SHOP, "shop/prices.py": PRICES, "tests/test_orders.py": TEST},
        "Refactor the Service so that users can search products and get errors",
        "feature_implementation",
        ["shop/prices.py"],
        "input and output of each request as json",
    ),
    "sessions": (
        {"shop/prices.py": PRICES, "shop/price.go": GO},
        "Session: migrate the legacy Interface",
        "multi_session_development",
        ["shop/orders.py"],
        "",
    ),
    "not python": (
        {"price.go": GO, "README.md": "# Shop\nInstall and run it with docker.\n"},
        "The function of the package calls an interface, a struct is used by the api",
        "architectural_understanding",
        [],
        "middleware and service",
    ),
    "broken": ({"a.py": "def f(:\n  return\n"}, "", "bug_investigation", [], ""),
}

PEER = {
    # metric_algorithms.py of SalesforceAIResearch/LoCoBench at 97dfc72 on the files above, to six places.
    "one file": {
        "acs": 0.66,
        "dta": 0.844444,
        "cfrd": 0.286667,
        "sts": 0.175123,
        "rs": 0.475,
        "cs": 0.3105,
        "is": 0.09375,
        "ses": 1.0,
        "idc": 0.15,
        "icu": 0.477778,
        "mmr": 0.644444,
    },
    "three files": {
        "acs": 0.52,
        "dta": 0.781111,
        "cfrd": 0.026667,
        "sts": 0.312897,
        "rs": 0.403191,
        "cs": 0.376574,
        "is": 0.09375,
        "ses": 0.877647,
        "idc": 0.475,
        "icu": 0.48125,
        "mmr": 0.4,
    },
    "sessions": {
        "acs": 0.46,
        "dta": 0.505,
        "cfrd": 0.264583,
        "sts": 0.230678,
        "rs": 0.25,
        "cs": 0.0,
        "is": 0.0,
        "ses": 0.512712,
        "idc": 0.241364,
        "icu": 0.14375,
        "mmr": 0.715,
    },
    "not python": {
        "acs": 0.53,
        "dta": 0.2675,
        "cfrd": 0.450417,
        "sts": 0.153595,
        "rs": 0.25,
        "cs": 0.175,
        "is": 0.0,
        "ses": 0.576684,
        "idc": 0.4775,
        "icu": 0.361458,
        "mmr": 0.2,
    },
    "broken": {
        "acs": 0.38,
        "dta": 0.475,
        "cfrd": 0.403333,
        "sts": 0.125,
        "rs": 0.25,
        "cs": 0.125,
        "is": 0.0,
        "ses": 0.669948,
        "idc": 0.425,
        "icu": 0.375,
        "mmr": 0.525,
    },
}


@pytest.mark.parametrize("case", CASES)
def test_as_the_released_evaluator(case):
    files, task, category, context, description = CASES[case]
    scenario = Scenario(task, category, tuple(context), description)
    assert {name: metric(files, scenario) for name, metric in METRICS.items()} == pytest.approx(PEER[case], abs=1e-6)


def test_the_one_score():
    assert m.lcbs(1, 1, 1, 1) == pytest.approx(5)
    assert m.lcbs(0.5, 0.6, 0.7, 0.4) == pytest.approx(2.8)
    assert [m.band(x) for x in (4.0, 3.99, 2.0, 1.99)] == ["excellent", "good", "fair", "poor"]


@pytest.mark.parametrize(
    ("built", "score"),
    [
        (m.Built(ok=True, seconds=2, binary=1000, warnings=1), 0.95),
        (m.Built(ok=True, seconds=2), 0.9),
        (m.Built(ok=True, seconds=9), 0.8),
        (m.Built(ok=True, seconds=2, binary=20_000_000), 0.9),
        (m.Built(ok=False, errors=2), 0.3),
        (m.Built(ok=False, errors=5), 0.1),
        (m.Built(ok=False, errors=6), 0),
        (m.Built(ok=True, seconds=2, warnings=40), 0),
    ],
)
def test_compilation(built, score):
    assert m.compilation(built) == pytest.approx(score)


def test_quality_and_integration():
    code = "\n".join(["# told"] * 9 + ["def f():", "    return 1"] + ["x = 1"] * 49)
    assert m.quality({"a.py": code}) == pytest.approx(1.0)
    assert m.quality({"a.py": "x = 1"}) == pytest.approx(0.5)
    assert m.quality({"a.py": "x = 1", "b.py": code}) == pytest.approx(0.75)
    assert m.integration({"a.py": ""}) == 0.3
    assert m.integration({"a.py": "", "b.py": ""}) == 0.7
    assert m.integration(dict.fromkeys("abc", "import x")) == pytest.approx(0.8)


def test_all_together():
    files, task, category, context, description = CASES["one file"]
    got = m.measured(files, Scenario(task, category, tuple(context), description), tests=0.5)
    peer = PEER["one file"]
    se = sum(peer[name] for name in m.SE) / 8
    fc = 0.3 * 0.9 + 0.3 * 0.5 + 0.2 * 0.3 + 0.2 * peer["idc"]
    cq, lcu = 0.7 * m.quality(files) + 0.3 * 0.8, 0.5 * peer["icu"] + 0.5 * peer["mmr"]
    assert got["lcbs"] == pytest.approx(5 * (0.4 * se + 0.3 * fc + 0.2 * cq + 0.1 * lcu), abs=1e-5)
    assert m.measured({}, Scenario())["lcbs"] == 0
    assert m.measured({"a.go": "x"}, Scenario())["compilation"] == 0.3, "another language than Python is the caller's to build"
    assert m.measured({"a.go": "x"}, Scenario(), m.Built(ok=True, seconds=1, binary=10))["compilation"] == 1


@pytest.mark.parametrize(
    ("reply", "files"),
    [
        ('```json\n{"approach": "x", "files": {"a.py": "x = 1"}}\n```', {"a.py": "x = 1"}),
        ('Here it is:\n```json\n{"files": {"a.py": "x"}}\n```\nDone.', {"a.py": "x"}),
        ('{"files": {"a.py": "x"}} and so on', {"a.py": "x"}),
        ('```json\n{"files": {"a.py": {"x": 1}}}\n```', {"a.py": '{\n  "x": 1\n}'}),
        ("no files", {}),
        ('{"files": ["a.py"]}', {}),
        ("```json\n{broken\n```", {}),
    ],
)
def test_files_of_a_reply(reply, files):
    assert m.solution(reply)[0] == files


def test_files_of_predictions(tmp_path):
    files, task, category, context, description = CASES["one file"]
    row = {
        "prediction": json.dumps({"files": files}),
        "answers": [""],
        "task_prompt": {"session_2": "the Price list", "session_1": "Add a check of Orders and update"},
        "task_category": category,
        "context_files": context,
        "description": description,
    }
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(row))
    assert score_file(path, "locobench/icu")["score"] == pytest.approx(PEER["one file"]["icu"], abs=1e-6), "sessions are joined"
    assert 0 < score_file(path, "locobench/lcbs")["score"] < 1
    path.write_text(json.dumps({"prediction": "x", "answers": [""]}))
    with pytest.raises(UserError, match="need the scenario"):
        score_file(path, "locobench/lcbs")
