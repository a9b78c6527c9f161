"""What files of code are worth by counts, keywords and syntax trees: the metrics of LoCoBench's evaluator (arXiv:2509.09614).

The formulas, keyword lists and constants are those of SalesforceAIResearch/LoCoBench at 97dfc72 (metric_algorithms.py,
Apache-2.0), written anew, quirks kept; none of them compares with a right solution. Knows nothing of the score made of them.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

Files = Mapping[str, str]
"""Names and contents of the files of a solution."""


@dataclass(frozen=True)
class Scenario:
    """What a solution was asked for, as far as the metrics look at it."""

    task: str = ""
    """The request; sessions joined by a blank."""
    category: str = ""
    context: tuple[str, ...] = ()
    """Names of the context files."""
    description: str = ""


def bounded(score: float) -> float:
    """The score in 0 to 1."""
    return min(1.0, max(0.0, score))


def mean(values: Iterable[float]) -> float:
    """The mean; 0 of nothing."""
    some = list(values)
    return sum(some) / len(some) if some else 0.0


def tree_of(code: str) -> ast.Module | None:
    """The syntax tree of Python code; None for what cannot be parsed."""
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _lists(text: str) -> dict[str, tuple[str, ...]]:
    """Keyword lists written `name: a b c; name: d e`."""
    out = {}
    for part in text.replace("\n", " ").split(";"):
        name, _, words = part.partition(":")
        out[name.strip()] = tuple(w.replace("~", " ") for w in words.split())
    return out


def _hit(words: Sequence[str], low: str) -> bool:
    return any(word in low for word in words)


def _hits(words: Sequence[str], low: str) -> int:
    return sum(word in low for word in words)


def _imports(code: str) -> list[str]:
    return [line.strip() for line in code.split("\n") if line.strip().startswith(("import ", "from "))]


def _found(patterns: Sequence[str], text: str) -> int:
    return sum(len(re.findall(pattern, text, re.I)) for pattern in patterns)


def _functions(files: Files, apart: bool = True) -> list[ast.FunctionDef]:
    """Plain functions of all files that can be parsed."""
    trees = map(tree_of, files.values()) if apart else [tree_of("\n".join(files.values()))]
    return [node for tree in trees if tree for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def _share(words: Sequence[str], asked: str, low: str) -> float:
    """Of the words that the request has, those that the code has too."""
    named = [w for w in words if w in asked]
    return _hits(named, low) / len(named) if named else 0.0


# Software engineering.

ARCHITECTURE = _lists(
    "mvc: model view controller models views controllers; repository: repository repo dao data_access;"
    "factory: factory builder create; observer: observer listener subscriber event; strategy: strategy algorithm policy;"
    "adapter: adapter wrapper bridge"
)


def _acs(files: Files, scenario: Scenario) -> float:
    pattern, order, links = [], [], []
    for code in files.values():
        low, lines, imports = code.lower(), code.split("\n"), _imports(code)
        score = sum(min(_hits(words, low) / len(words), 0.3) for words in ARCHITECTURE.values())
        score += 0.3 * bool(re.search(r"class\s+\w+", code) or len(re.findall(r"def\s+\w+", code)) > 2)
        score += 0.2 * (sum(line.startswith(("    ", "\t")) for line in lines) > 0.3 * len(lines))
        pattern.append(min(1.0, score))
        starts = {word: [i for i, line in enumerate(lines) if line.strip().startswith(word)] for word in ("class ", "def ")}
        first = not starts["class "] or not starts["def "] or max(starts["class "]) < min(starts["def "])
        airy = sum(not line.strip() for line in lines) < 0.3 * len(lines)
        told = any(mark in code for mark in ('"""', "'''", "#"))
        order.append(0.3 * (len(imports) <= 10) + 0.3 * first + 0.2 * airy + 0.2 * told)
        plain = all("*" not in x for x in imports)
        links.append(0.4 * _sorted(imports) + 0.3 * _used(code, imports) + 0.3 * plain if imports else 0.0)
    return bounded(0.4 * mean(pattern) + 0.3 * mean(order) + 0.2 * _naming(files) + 0.1 * mean(links))


def _sorted(imports: Sequence[str]) -> bool:
    """Standard imports before others, told by parts of their names."""
    standard = [_hit(("os", "sys", "json", "time", "datetime", "collections", "re"), line) for line in imports]
    return standard == sorted(standard, reverse=True)


def _used(code: str, imports: Sequence[str]) -> bool:
    names = list[str]()
    for line in imports:
        parts = line.split()
        if line.startswith("import "):
            names.append(parts[1].split(".")[0])
        elif "import" in parts:
            names += [n.strip() for n in " ".join(parts[parts.index("import") + 1 :]).split(",")]
    return all(name in code for name in names)


def _style(name: str) -> str:
    if "_" in name and name.islower():
        return "snake"
    if name[0].islower() and any(c.isupper() for c in name[1:]):
        return "camel"
    return "pascal" if name[0].isupper() else "other"


def _naming(files: Files) -> float:
    kinds = (r"def\s+([a-zA-Z_]\w*)", r"([a-zA-Z_]\w*)\s*=")
    names = [n for code in files.values() for kind in kinds for n in re.findall(kind, code, re.A)]
    return min(1.0, 1.2 * max(Counter(map(_style, names)).values()) / len(names)) if names else 0.5


BUILTINS = frozenset(
    "print len str int float list dict set tuple range enumerate zip map filter sum max min open abs round sorted "
    "reversed".split()
)


def _dta(files: Files, scenario: Scenario) -> float:
    defined = {n for code in files.values() for n in re.findall(r"(?:def|class)\s+([a-zA-Z_]\w*)", code, re.A)}
    known, called, order = list[float](), list[float](), list[float]()
    for code in files.values():
        imports = _imports(code)
        good = [0.6 * (tree_of(x) is not None) + 0.4 * (not _hit(("__", "sys.exit", "eval", "exec"), x)) for x in imports]
        known.append(mean(good))
        calls = re.findall(r"([a-zA-Z_]\w*)\s*\(", code, re.A)
        called.append(mean(c in defined or c in BUILTINS for c in calls))
        lines, end = code.split("\n"), 0
        for i, line in enumerate(lines):
            if line.strip().startswith(("import ", "from ")):
                end = i
            elif line.strip() and not line.strip().startswith("#"):
                break
        order.append(1.0 if end < min(10, len(lines) // 4) else 0.5)
    return bounded(0.4 * mean(known) + 0.35 * mean(called) + 0.25 * mean(order))


INTERFACES = _lists(
    "definition: interface protocol abstract; injection: inject provide wire bind; abstraction: implement extend inherit"
    " override;"
    "contracts: requires ensures contract guarantee"
)
COORDINATION = _lists(
    "synchronization: mutex lock sync atomic synchronized; messaging: channel queue event message signal;"
    "coordination: wait notify coordinate barrier; isolation: goroutine thread process worker"
)
# "ACID" stands in capitals there and is looked for in lower case, so that it is never found.
CHANGES = _lists(
    "transaction: transaction commit rollback begin; validation: validate check verify ensure;"
    "consistency: consistent atomic ACID integrity; recovery: recover retry fallback compensate"
)
FLOW = _lists(
    "validation: validate sanitize check verify; transformation: transform convert map filter;"
    "formatting: format serialize marshal encode; propagation: error exception fail panic"
)


def _groups(groups: Mapping[str, tuple[str, ...]], low: str, each: float = 0.25) -> float:
    return each * sum(_hit(words, low) for words in groups.values())


def _cfrd(files: Files, scenario: Scenario) -> float:
    lows = {code: code.lower() for code in files.values()}

    def interface(code: str) -> float:
        names = re.findall(r"interface\s+([A-Za-z]+)", code)
        proper = sum(n.endswith(("er", "able", "Interface")) for n in names) / len(names) if names else 0.0
        return min(1.0, _groups(INTERFACES, lows[code]) + 0.2 * proper)

    def flow(code: str) -> float:
        low = lows[code]
        stages = (("input", "request", "param"), ("process", "handle", "execute"), ("output", "response", "return"))
        return min(1.0, _groups(FLOW, low, 0.2) + 0.4 * sum(_hit(words, low) for words in stages) / 3)

    def change(code: str) -> float:
        return min(1.0, _groups(CHANGES, lows[code]) + 0.1 * _hit(("version", "changelog"), lows[code]))

    codes = list(files.values())
    shared = any(_hit(("global", "static", "shared"), lows[c]) for c in codes)
    state = mean(min(1.0, _groups(COORDINATION, lows[c])) for c in codes) if shared else 0.8
    asked = _hit(("update", "modify", "change", "edit", "alter", "refactor"), scenario.task.lower())
    changes = mean(map(change, codes)) if asked else 0.6
    return bounded(0.35 * mean(map(interface, codes)) + 0.3 * state + 0.25 * changes + 0.1 * mean(map(flow, codes)))


SCALES = (
    "queue pagination batch chunk pool cache redis memcache async thread concurrent parallel database connection session "
    "rate_limit throttle backoff"
).split()
INTEGRATES = (
    "api endpoint route rest json xml serialize marshal http request response client server service interface contract schema"
).split()
EXTENDS = (r"class.*\(.*\):", r"abc\.ABC", "@abstractmethod", "plugin", "hook", "config", "setting", "registry", "factory")


def _sts(files: Files, scenario: Scenario) -> float:
    whole = "\n".join(files.values())
    low = whole.lower()
    branches = [1 + sum(isinstance(n, ast.If | ast.While | ast.For | ast.Try) for n in ast.walk(f)) for f in _functions(files)]
    simple = max(1 - (mean(branches) - 1) / 10, 0.0)
    maintained = (simple + len(files) / max(len(files), 3)) / 2 if branches else 0.5
    extensible = min(1.0, 10 * _found(EXTENDS, whole) / len(whole.split("\n")))
    return bounded(
        0.25 * (_hits(SCALES, low) / len(SCALES) + maintained + _hits(INTEGRATES, low) / len(INTEGRATES) + extensible)
    )


VALIDATES = (r"isinstance\(", r"assert\s+", r"if.*len\(", r"if.*range\(", r"\.isdigit\(", r"\.strip\(", r"re\.match\(")
SECURES = _lists(
    "crypto: hashlib cryptography secrets bcrypt; sanitizes: escape sanitize clean validate; random: secrets."
    " random.SystemRandom;"
    "sql: parameterized prepared placeholder; authenticates: auth login password token"
)
HOLDS = (r"with\s+open\(", r"with\s+.*\(\)\s*:", r"\.close\(\)", "finally:", "__enter__", "__exit__")
TAKES = (r"open\(", r"socket\.", r"connect\(", r"cursor\(", r"thread\.", r"process\.")
GUARDS = ("is None", "is not None", "len(", "not ", "== 0", "!= 0")


def _rs(files: Files, scenario: Scenario) -> float:
    whole = "\n".join(files.values())
    low = whole.lower()
    functions = _functions(files, apart=False)
    if tree_of(whole) is None:
        handled = 0.0
    else:
        handled = mean(any(map(_guards, ast.walk(f))) for f in functions) if functions else 0.5
    checked = min(1.0, 10 * _found(VALIDATES, whole) / len(whole.split("\n")))
    dangers = _hits(("eval(", "exec(", "os.system(", "subprocess.call("), low)
    secure = max(sum(_hit(words, low) for words in SECURES.values()) / len(SECURES) - min(0.2 * dangers, 0.5), 0.0)
    held, taken = _found(HOLDS, whole), _found(TAKES, whole)
    resources = min(held / taken, 1.0) if taken else 0.8 if held else 1.0
    return bounded(0.25 * (handled + checked + secure + resources))


def _guards(node: ast.AST) -> bool:
    """Error handling: try, raise, or an `if` that compares against nothing, zero or a length."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Compare) and _hit(GUARDS, ast.unparse(node.test))
    return isinstance(node, ast.Try | ast.Raise)


def _told(function: ast.FunctionDef) -> bool:
    first = function.body[0] if function.body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


ASSERTS = (r"assert\s+", r"assertEqual\(", r"assertTrue\(", r"assertFalse\(", r"expect\(", r"should\.")
CONFIGURES = (
    "config.yaml",
    "config.yml",
    "config.json",
    "config.ini",
    "settings.py",
    ".env",
    "environment",
    "docker",
    "makefile",
)


def _cs(files: Files, scenario: Scenario) -> float:
    whole, names = "\n".join(files.values()), [n.lower() for n in files]
    low, functions = whole.lower(), _functions(files)
    told = mean(map(_told, functions))
    lines = sum(len(code.split("\n")) for code in files.values())
    comments = sum(line.strip().startswith("#") for code in files.values() if tree_of(code) for line in code.split("\n"))
    documented = 0.7 * told + 0.3 * min(5 * comments / lines, 1.0)
    documented = min(documented * (1.2 if any("readme" in n for n in names) else 1.0), 1.0)
    typed = mean(f.returns is not None or any(a.annotation is not None for a in f.args.args) for f in functions)
    api = (typed + told) / 2 if functions else 0.5
    tested = 0.4 * any("test" in n for n in names) + 0.4 * bool(_found(ASSERTS, whole))
    tested += 0.2 * _hit(("unittest", "pytest", "jest", "mocha", "junit"), low)
    set_up = 0.25 * any(_hit(CONFIGURES, n) for n in names)
    set_up += 0.25 * _hit(("os.environ", "getenv", "env.get", "process.env"), whole)
    set_up += 0.25 * any(_hit(("setup.py", "requirements.txt", "package.json", "build", "install"), n) for n in names)
    set_up += 0.25 * _hit(("deploy", "install", "setup", "run", "start"), low)
    return bounded(0.3 * documented + 0.25 * api + 0.25 * min(tested, 1.0) + 0.2 * min(set_up, 1.0))


EFFICIENT = (
    r"collections\.deque",
    r"collections\.defaultdict",
    r"set\(",
    r"bisect\.",
    r"heapq\.",
    r"itertools\.",
    r"enumerate\(",
    r"zip\(",
)
WASTEFUL = (r"\.append\(.*in.*for", r"string.*\+.*in.*for", r"list.*dict\.keys\(\)")
DESIGNS = _lists(
    "factory: factory create builder; singleton: singleton _instance __new__; observer: observer listener notify subscribe;"
    "strategy: strategy algorithm policy; decorator: decorator @ wrapper; adapter: adapter wrapper bridge;"
    "mvc: model view controller; repository: repository repo dao"
)
FAST = (
    "@lru_cache",
    "@cache",
    r"async\s+def",
    r"await\s+",
    r"threading\.",
    r"multiprocessing\.",
    r"concurrent\.",
    r"asyncio\.",
    r"pool\.",
)
MODERN = (
    "fastapi",
    "flask",
    "django",
    "pydantic",
    "dataclass",
    "typing",
    "type:",
    "->",
    'f"',
    "f'",
    "pathlib",
    "path",
    "json",
    "requests",
    "logging",
    "with open",
)


def _is(files: Files, scenario: Scenario) -> float:
    whole = "\n".join(files.values())
    low = whole.lower()
    algorithm = sum(bool(re.search(p, whole)) for p in EFFICIENT) / len(EFFICIENT) - min(0.1 * _found(WASTEFUL, whole), 0.5)
    designs = sum(_hit(words, low) for words in DESIGNS.values()) / len(DESIGNS)
    fast = min(20 * _found(FAST, whole) / len(whole.split("\n")), 1.0)
    return bounded(0.3 * max(algorithm, 0.0) + 0.25 * designs + 0.25 * fast + 0.2 * _hits(MODERN, low) / len(MODERN))


def _ses(files: Files, scenario: Scenario) -> float:
    clear = mean(map(_clarity, files.values()))
    whole = "\n".join(files.values())
    tree = tree_of(whole)
    if tree is None:
        level = 0.5
    else:
        made = sum(isinstance(n, ast.ClassDef | ast.FunctionDef) for n in ast.walk(tree)) / len(whole.split("\n"))
        level = 1.0 if 0.05 <= made <= 0.2 else made / 0.05 if made < 0.05 else max(0.4 - (made - 0.2) / 0.1, 0.0)
    lines = [line.strip() for code in files.values() for line in code.split("\n") if line.strip()]
    again = sum(n - 1 for n in Counter(lines).values()) / len(lines) if lines else 0.0
    principles = (max(1 - 2 * again, 0.0) + mean(map(_plainness, files.values())) + _single(files)) / 3
    same = sum(len(set(map(how, files.values()))) == 1 for how in (_naming_style, _indent)) / 2
    return bounded(0.3 * clear + 0.25 * level + 0.25 * principles + 0.2 * same)


def _clarity(code: str) -> float:
    tree, lines = tree_of(code), code.split("\n")
    if tree is None:
        names, lengths = 0.0, list[int]()
    else:
        some = [
            n.name if isinstance(n, ast.FunctionDef) else n.id
            for n in ast.walk(tree)
            if isinstance(n, ast.FunctionDef | ast.Name)
        ]
        names = mean(len(n) > 2 and not n.startswith("_") and n.islower() for n in some) if some else 0.5
        lengths = [(n.end_lineno or n.lineno) - n.lineno for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    even = all((len(line) - len(line.lstrip())) % 4 == 0 for line in lines if line.strip())
    short = max(1 - ((mean(lengths) if lengths else 10) - 10) / 50, 0.0)
    full = [line for line in lines if line.strip()]
    if full:
        narrow = max(1 - (mean(map(len, full)) - 80) / 80, 0.0)
        read = (narrow + min(5 * sum(line.strip().startswith("#") for line in full) / len(full), 1.0)) / 2
    else:
        read = 0.5
    return 0.4 * names + 0.3 * ((1.0 if even else 0.5) + short) / 2 + 0.3 * read


def _plainness(code: str) -> float:
    tree = tree_of(code)
    if tree is None:
        return 0.5
    # All branches of a file count as if nested, for the counter there never goes down.
    return max(1 - (sum(isinstance(n, ast.If | ast.For | ast.While | ast.Try) for n in ast.walk(tree)) - 2) / 5, 0.0)


def _single(files: Files) -> float:
    scores = list[float]()
    for tree in filter(None, map(tree_of, files.values())):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                methods = sum(isinstance(child, ast.FunctionDef) for child in node.body)
                scores.append(1.0 if 1 <= methods <= 10 else 0.7 if methods <= 15 else 0.3)
    return mean(scores) if scores else 0.8


def _naming_style(code: str) -> str:
    tree = tree_of(code)
    if tree is None:
        return "unknown"
    names = [
        n.name if isinstance(n, ast.FunctionDef) else n.id for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.Name)
    ]
    snake = sum("_" in n for n in names)
    camel = sum("_" not in n and any(c.isupper() for c in n[1:]) for n in names)
    return "snake" if snake > camel else "camel"


def _indent(code: str) -> str:
    for line in code.split("\n"):
        for mark, name in (("    ", "four"), ("  ", "two"), ("\t", "tabs")):
            if line.startswith(mark):
                return name
    return "unknown"


# Building on what is there (part of functional correctness).

COMPATIBLE = _lists(
    "versions: version v1 v2 deprecated legacy; adapts: adapter wrapper bridge facade; migrates: migrate upgrade transition"
    " convert"
)
REUSES = _lists(
    "functions: func function def method; modules: import include require use; inherits: extends inherit implement interface;"
    "composes: compose mixin trait delegate"
)
EXTENSIBLE = _lists(
    "interfaces: interface protocol contract; plugins: plugin extension addon module; hooks: hook callback listener event;"
    "factories: factory builder creator generator"
)


def _idc(files: Files, scenario: Scenario) -> float:
    asked, lows = scenario.task.lower(), [code.lower() for code in files.values()]

    def compatible(low: str) -> float:
        score = _groups(COMPATIBLE, low, 0.3) + 0.1 * _hit(("deprecated", "obsolete", "remove", "replace"), low)
        return min(1.0, score + 0.2 * ("api" in low and "breaking" not in low))

    def extensible(low: str) -> float:
        score = _groups(EXTENSIBLE, low) + 0.15 * _hit(("config", "setting", "option", "parameter"), low)
        return min(1.0, score + 0.1 * _hit(("module", "component", "service", "package"), low))

    def gentle(low: str) -> float:
        score = 0.3 * _hits(("add", "extend", "enhance", "backward", "compatible"), low)
        score += 0.2 * _hits(("separate", "isolate", "encapsulate", "module"), low)
        return max(score - 0.2 * _hits(("breaking", "remove", "delete", "replace"), low), 0.0)

    kept = mean(map(compatible, lows)) if _hit(("update", "upgrade", "migrate", "compatibility", "legacy"), asked) else 0.7
    lines = [line.strip() for code in files.values() for line in code.split("\n") if line.strip()]
    again = 1 - len(set(lines)) / len(lines) if lines else 0.0
    reused = max(mean(min(_groups(REUSES, low), 1.0) for low in lows) - 0.5 * again, 0.0)
    modest = min(mean(map(gentle, lows)), 1.0) if _hit(("add", "integrate", "extend", "enhance", "modify"), asked) else 0.7
    return bounded(0.4 * kept + 0.3 * reused + 0.2 * mean(map(extensible, lows)) + 0.1 * modest)


# Use of a long context.


def _context_used(files: Files, context: Sequence[str]) -> float:
    """Context files whose stem stands in the code, once for each file of the solution."""
    if not context:
        return 0.5
    stems = [PurePosixPath(name).stem.lower() for name in context]
    return min(1.0, sum(stem in code.lower() for code in files.values() for stem in stems) / len(context))


def _requirements(files: Files, task: str) -> float:
    if not task:
        return 0.5
    words = set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]*)*\b", task)) | {
        "implement",
        "create",
        "add",
        "update",
        "fix",
        "analyze",
    }
    low = " ".join(files.values()).lower()
    return mean(word.lower() in low for word in words)


STRUCTURES = (
    "middleware handler controller service repository model mvc rest api router endpoint interface struct package module "
    "component layer tier"
).split()
BUSINESS = (
    "user customer order product payment account profile create update delete get list search filter validate process "
    "calculate generate send receive"
).split()
DATA = "input output request response data parameter return result json xml struct map array slice".split()
ACTIONS = "implement create build add update modify delete handle process manage execute run start stop".split()
TECHNICAL = "http json api rest endpoint server client database sql query connection session cookie".split()


def _extracted(files: Files, scenario: Scenario) -> float:
    told = f"{scenario.description} {scenario.task}"
    asked, low = told.lower(), " ".join(files.values()).lower()
    if scenario.category == "architectural_understanding":
        built = [
            "function" in asked and "func " in low,
            "struct" in asked and "type " in low and "struct" in low,
            "interface" in asked and "interface" in low,
            "package" in asked and "package " in low,
        ]
        links = [w for w in ("import", "dependency", "require", "use", "call", "invoke") if w in asked]
        linked = mean(w in low or "import" in low for w in links)
        return 0.4 * _share(STRUCTURES, asked, low) + 0.35 * sum(built) / 4 + 0.25 * linked
    if scenario.category == "feature_implementation":
        errors = _hit(("error", "exception", "fail", "invalid", "check", "validate"), asked)
        handles = "if err != nil" in low or "error" in low or ("return" in low and "err" in low)
        return 0.45 * _share(BUSINESS, asked, low) + 0.3 * _share(DATA, asked, low) + 0.25 * errors * (1.0 if handles else 0.5)
    # Description and request are lower case where capitals are looked for, so that only these words are found.
    concepts = re.findall(r"\b[A-Z][a-z]+\b|\b(?:func|struct|interface|package|import)\b", asked)
    actions = [w for w in ACTIONS if w in asked]
    acted = min(low.count("func ") / len(actions), 1.0) if actions else 0.0
    return 0.4 * mean(c in low for c in concepts) + 0.35 * acted + 0.25 * _share(TECHNICAL, asked, low)


def _icu(files: Files, scenario: Scenario) -> float:
    used, required = _context_used(files, scenario.context), _requirements(files, scenario.task)
    return bounded(0.4 * used + 0.35 * required + 0.25 * _extracted(files, scenario))


APPROACHES = _lists(
    "errors: try catch error exception if~err; data: map slice array list dict; patterns: interface struct class factory"
    " builder;"
    "style: func function method procedure"
)


def _mmr(files: Files, scenario: Scenario) -> float:
    if scenario.category != "multi_session_development":
        terms = set(re.findall(r"\b[A-Z][a-z]+\b", scenario.task))
        whole = " ".join(files.values())
        spoken = mean(any(v in whole for v in (t, t.lower(), t.upper())) for t in terms) if terms else 0.6
        used, required = _context_used(files, scenario.context), _requirements(files, scenario.task)
        return bounded(0.4 * used + 0.35 * required + 0.25 * spoken)
    lows = [code.lower() for code in files.values()]
    approach = 0.8
    if len(files) > 1:
        spreads = []
        for words in APPROACHES.values():
            counts = [_hits(words, low) for low in lows]
            middle = sum(counts) / len(counts)
            spreads.append(1 / (1 + sum((c - middle) ** 2 for c in counts) / len(counts)))
        approach = mean(spreads)
    return bounded(0.4 * _same_names(files) + 0.35 * approach + 0.25 * min(mean(map(_stateful, files.values())), 1.0))


def _same_names(files: Files) -> float:
    """Names of one root ("get", "set", ...) written in one style from file to file."""
    kinds = (
        r"func\s+([a-zA-Z_]\w*)",
        r"var\s+([a-zA-Z_]\w*)",
        r"type\s+([a-zA-Z_]\w*)",
        r"def\s+([a-zA-Z_]\w*)",
        r"([a-zA-Z_]\w*)\s*:?=",
    )
    names = [[n for kind in kinds for n in re.findall(kind, code, re.A)] for code in files.values()]
    roots = ("get", "set", "create", "update", "delete", "handle", "process")
    clashes = pairs = 0
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            pairs += len(first) + len(second)
            for a in first:
                shared = [r for r in roots if r in a.lower()]
                clashes += sum(_style(a) != _style(b) for b in second if _hit(shared, b.lower())) if shared else 0
    return max(1 - clashes / pairs, 0.0) if pairs else 0.5


def _stateful(code: str) -> float:
    low = code.lower()
    score = 0.3 * _hit(("const", "readonly", "immutable", "copy"), low) - 0.1 * _hit(
        ("global", "static", "shared", "singleton"), low
    )
    score += 0.3 * _hit(("private", "encapsulated", "local"), low) + 0.1 * _hit(("validate", "check", "verify", "assert"), low)
    changes = sum(code.count(sign) for sign in ("=", "++", "--", "+=", "-="))
    return max(score - 0.2 * (changes > 10), 0.0)


METRICS: dict[str, Callable[[Files, Scenario], float]] = {
    "acs": _acs,
    "dta": _dta,
    "cfrd": _cfrd,
    "sts": _sts,
    "rs": _rs,
    "cs": _cs,
    "is": _is,
    "ses": _ses,
    "idc": _idc,
    "icu": _icu,
    "mmr": _mmr,
}
