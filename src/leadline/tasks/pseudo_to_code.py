"""Pseudocode to code: write C++ line by line from pseudocode; the program is compiled and run on test cases, in a sandbox.

One of LongProc's six procedures (arXiv:2501.05414; princeton-pli/LongProc, Apache-2.0; its lines are SPoC's, CC-BY-4.0).
Generated programs read numbers, change them in several ways and print results; what they must print is computed here. 500
to 1,400, 2,000 to 5,500 and 9,000 to 22,000 characters of code at 0.5k, 2k and 8k; the authors have no 8k. Lines lie in
noise, numbered.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leadline.nouns import Item
from leadline.scoring.longproc_metrics import HEADER, TESTS, Marks, mark_code
from leadline.tasks._procedures import SIZES, Procedure

LENGTHS = ((500, 1400), (2000, 5500), (9000, 22_000))
"""Characters of the code."""
MODULUS = 1_000_003
_TASK = f"""You will be given pseudocode, and you write the C++ program that it describes, line by line: each line of the \
pseudocode is one line of code. The pseudocode is complete and right. These lines already stand before your program and must \
not be repeated:
```cpp
{HEADER}```
Write your program between ```cpp and ```."""
State = dict[str, Any]
Step = Callable[[State], None]
Lines = list[tuple[str, str]]
"""Pseudocode with its code."""


@dataclass(frozen=True, kw_only=True)
class PseudoToCode(Procedure):
    """A program translated line by line, and run."""

    minima = (4096, 12288, 40960)
    columns = {"pseudocode_lines": (list, tuple), "code_lines": (list, tuple), "testcases": (list, tuple)}
    runs_code = True

    def generated(self, index: int, seed: int, rng: random.Random) -> Item:
        low, high = LENGTHS[SIZES.index(self.output)]
        lines, steps = _program(rng, rng.randint(low, high - 300))
        cases = []
        for _ in range(TESTS):
            numbers = [rng.randint(0, 999) for _ in range(rng.randint(3, 8))]
            state: State = {"a": list(numbers), "out": []}
            for step in steps:
                step(state)
            cases.append([[str(len(numbers)), " ".join(map(str, numbers))], [str(v) for v in state["out"]]])
        told = [f"Line {i}: {pseudo}." for i, (pseudo, _) in enumerate(lines, 1)]
        return self._asked(told, "\n".join(code for _, code in lines), cases)

    def published(self, row: Mapping[str, Any], place: str) -> Item:
        return self._asked(["\n".join(row["pseudocode_lines"])], "\n".join(row["code_lines"]), row["testcases"])

    def _asked(self, told: Sequence[str], code: str, cases: Sequence[Any]) -> Item:
        numbered = len(told) > 1
        where = f"Its lines are those numbered 1 to {len(told)} in the text above; the rest of the text is not part of it. "
        return self.made(
            instruction=_TASK,
            evidence=told,
            ordered=True,
            question=f"Write the C++ program for the pseudocode above. {where if numbered else ''}Give the whole program "
            "between ```cpp and ```, and nothing else.",
            reference=self.wrapped(code),
            meta={"testcases": [[list(given), list(wanted)] for given, wanted in cases[:TESTS]]},
            avoid=("Line ",) if numbered else (),
        )

    def wrapped(self, reference: str) -> str:
        return f"```cpp\n{reference}\n```"

    def marks(self, reply: str, reference: str, item: Item) -> Marks:
        return mark_code(reply, testcases=item.meta.get("testcases", ()), peer=self.peer)

    def wrong(self, answers: Sequence[str], item: Item, rng: random.Random) -> str:
        return "```cpp\nint solve() {\n    return 0;\n}\n```"


def _program(rng: random.Random, size: int) -> tuple[Lines, list[Step]]:
    """A program of about so many characters, and what it does to the state."""
    lines: Lines = [
        ("define the main function", "int main() {"),
        ("create integer n and read it from the input", "    int n; cin >> n;"),
        ("create an array a of n long integers", "    vector<long long> a(n);"),
        ("read n numbers from the input into a, in order", "    for (int i = 0; i < n; i++) cin >> a[i];"),
    ]
    steps: list[Step] = []
    kinds = [_shift, _odd, _prefix, _order, _sum, _count, _range, _while]
    place = 0
    while sum(len(code) + 1 for _, code in lines) < size:
        more, step = rng.choice(kinds)(rng, place)
        lines += more
        steps.append(step)
        place += 1
    lines += [
        ("loop i from 0 to n exclusive", "    for (int i = 0; i < n; i++) {"),
        ("print a[i] on a line of its own", "        cout << a[i] << endl;"),
        ("end of the loop", "    }"),
        ("return 0", "    return 0;"),
        ("end of the main function", "}"),
    ]
    steps.append(lambda s: s["out"].extend(s["a"]))
    return lines, steps


_LOOP = ("loop i from 0 to n exclusive", "    for (int i = 0; i < n; i++) {")
_END = ("end of the loop", "    }")


def _shift(rng: random.Random, place: int) -> tuple[Lines, Step]:
    by, times = rng.randint(1, 999), rng.randint(2, 99)
    lines = [
        _LOOP,
        (f"multiply a[i] by {times} and add {by} to it", f"        a[i] = a[i] * {times} + {by};"),
        (f"set a[i] to its remainder when divided by {MODULUS}", f"        a[i] %= {MODULUS};"),
        _END,
    ]
    return lines, lambda s: s.update(a=[(x * times + by) % MODULUS for x in s["a"]])


def _odd(rng: random.Random, place: int) -> tuple[Lines, Step]:
    m = rng.randint(2, 7)
    r, by, other = rng.randrange(m), rng.randint(1, 999), rng.randint(1, 999)
    lines = [
        _LOOP,
        (f"if the remainder of a[i] divided by {m} is {r}", f"        if (a[i] % {m} == {r}) {{"),
        (f"increase a[i] by {by}", f"            a[i] += {by};"),
        ("otherwise", "        } else {"),
        (f"increase a[i] by {other} times i", f"            a[i] += {other} * i;"),
        ("end of the condition", "        }"),
        _END,
    ]
    return lines, lambda s: s.update(a=[x + by if x % m == r else x + other * i for i, x in enumerate(s["a"])])


def _prefix(rng: random.Random, place: int) -> tuple[Lines, Step]:
    lines = [
        ("loop i from 1 to n exclusive", "    for (int i = 1; i < n; i++) {"),
        (
            f"set a[i] to the remainder of a[i] + a[i - 1] divided by {MODULUS}",
            f"        a[i] = (a[i] + a[i - 1]) % {MODULUS};",
        ),
        _END,
    ]

    def step(s: State) -> None:
        for i in range(1, len(s["a"])):
            s["a"][i] = (s["a"][i] + s["a"][i - 1]) % MODULUS

    return lines, step


def _order(rng: random.Random, place: int) -> tuple[Lines, Step]:
    kind = rng.choice(("sort", "reverse", "rotate"))
    if kind == "sort":
        return [("sort a", "    sort(a.begin(), a.end());")], lambda s: s["a"].sort()
    if kind == "reverse":
        return [("reverse a", "    reverse(a.begin(), a.end());")], lambda s: s["a"].reverse()
    line = ("move the first element of a to its end", "    rotate(a.begin(), a.begin() + 1, a.end());")
    return [line], lambda s: s.update(a=[*s["a"][1:], s["a"][0]])


def _sum(rng: random.Random, place: int) -> tuple[Lines, Step]:
    name, times = f"s{place}", rng.randint(1, 99)
    lines = [
        (f"create long integer {name} with value 0", f"    long long {name} = 0;"),
        _LOOP,
        (f"add a[i] times {times} to {name}", f"        {name} += a[i] * {times};"),
        _END,
        (f"print {name} on a line of its own", f"    cout << {name} << endl;"),
    ]
    return lines, lambda s: s["out"].append(sum(x * times for x in s["a"]))


def _count(rng: random.Random, place: int) -> tuple[Lines, Step]:
    name, than = f"c{place}", rng.randint(100, 5000)
    lines = [
        (f"create integer {name} with value 0", f"    int {name} = 0;"),
        _LOOP,
        (f"if a[i] is greater than {than}, increase {name} by 1", f"        if (a[i] > {than}) {name}++;"),
        _END,
        (f"print {name} on a line of its own", f"    cout << {name} << endl;"),
    ]
    return lines, lambda s: s["out"].append(sum(x > than for x in s["a"]))


def _range(rng: random.Random, place: int) -> tuple[Lines, Step]:
    low, high = f"l{place}", f"h{place}"
    lines = [
        (f"create long integer {low} with the least element of a", f"    long long {low} = *min_element(a.begin(), a.end());"),
        (
            f"create long integer {high} with the greatest element of a",
            f"    long long {high} = *max_element(a.begin(), a.end());",
        ),
        (f"print {high} - {low} on a line of its own", f"    cout << {high} - {low} << endl;"),
    ]
    return lines, lambda s: s["out"].append(max(s["a"]) - min(s["a"]))


def _while(rng: random.Random, place: int) -> tuple[Lines, Step]:
    name, by = f"t{place}", rng.randint(2, 9)
    lines = [
        (f"create long integer {name} with the value of a[0]", f"    long long {name} = a[0];"),
        (f"create integer k{place} with value 0", f"    int k{place} = 0;"),
        (f"while {name} is greater than 0", f"    while ({name} > 0) {{"),
        (f"divide {name} by {by}, leaving out the remainder", f"        {name} /= {by};"),
        (f"increase k{place} by 1", f"        k{place}++;"),
        ("end of the loop", "    }"),
        (f"print k{place} on a line of its own", f"    cout << k{place} << endl;"),
    ]

    def step(s: State) -> None:
        value, k = s["a"][0], 0
        while value > 0:
            value, k = value // by, k + 1
        s["out"].append(k)

    return lines, step
