"""Contracts as text: what E-ACSL can run of them. Definitions are put in the place of their
uses, each clause becomes as many as it says things, and those that name what does not exist
when the program runs (ghosts, functions that axioms describe) are left out and counted.
"""
import re

import source

LABEL = r"(?:\{([\w, ]+)\})?"
DEFINITION = re.compile(
    r"\b(?:predicate|logic\s+[\w \*]+?)\s*\**\b(\w+)\s*(?:\{\w+\})?\s*(?:\(([^)]*)\))?\s*=\s*(.*?);"
    r"(?=\s*(?:\*/|predicate\b|logic\b|lemma\b|axiom\b|//|\}|$))", re.S)
DECLARED = re.compile(r"\b(?:predicate|logic\s+[\w \*]+?)\s*\**\b(\w+)\s*(?:\{[\w, ]+\})?\s*(?:\([^)]*\))?\s*"
                      r"(?:reads[^;=]*)?[=;]", re.S)
GHOST = re.compile(r"@ ghost\s+(?:const\s+)?(?:struct\s+)?\w+\s+\**(\w+)\s*(?:\[[^]]*\])?\s*[;=]")
WORD = re.compile(r"(?<![\w.>\\])([A-Za-z_]\w*)")
KEYWORD = re.compile(
    r"(?<![\w\\])((?:complete|disjoint)\s+behaviors|behavior\s+\w+\s*:|loop\s+invariant|loop\s+variant|"
    r"loop\s+assigns|loop\s+allocates|requires|ensures|assumes|assigns|terminates|decreases|frees|"
    r"allocates|exits|returns|assert|ghost)(?![\w])")
SAYS = re.compile(r"(?:requires|ensures|loop invariant|assert)\b")
FRAMES = ("assigns", "terminates", "decreases", "frees", "allocates", "loop assigns", "loop variant",
          "loop allocates", "exits")
MEMORY = re.compile(r"\\(?:valid|valid_read|separated|initialized)\s*(?:\{\w+\})?\s*(?=\()")


def strip(comment):
    """The text of an ACSL comment without its marks and without comments in it."""
    text = comment[3:-2] if comment.startswith("/*") else comment[3:]
    return re.sub(r"//[^\n]*", "", text)


def definitions(texts):
    """{name: (parameters, body)} of the predicates and logic functions without recursion."""
    found = {}
    for text in texts:
        for comment in source.ACSL.findall(text):
            bare = strip(comment) if comment.startswith("/*@") else ""
            for name, parameters, body in DEFINITION.findall(bare):
                if not re.search(rf"\b{name}\b", body):
                    names = [re.sub(r"\[.*", "", p.split()[-1]).lstrip("*") for p in parameters.split(",") if p.strip()]
                    found[name] = (names, re.sub(r"\s+", " ", body).strip())
            # A definition by axiom, as axioms.py takes it.
            for name, names, body in re.findall(r"axiom \w+_def: \\forall [^;]*;\s*(\w+)\(([^)]*)\) == ([^;]*);", bare):
                found[name] = ([n.strip() for n in names.split(",")], re.sub(r"\s+", " ", body).strip())
    return found


def imaginary(texts):
    """Names that contracts use and programs do not have: logic without a body, and ghosts."""
    found = set()
    for text in texts:
        found |= set(GHOST.findall(text))
        for comment in source.ACSL.findall(text):
            found |= set(DECLARED.findall(strip(comment)))
    return found


def closing(text, at):
    """Where the parenthesis that opens at text[at] ends."""
    depth = 0
    for i in range(at, len(text)):
        depth += text[i] in "([{"
        depth -= text[i] in ")]}"
        if depth == 0:
            return i + 1
    raise ValueError(f"no end: {text[at:at + 60]}")


def split(text, mark):
    """text parted at a mark that is in no parentheses."""
    parts, depth, start, i = [], 0, 0, 0
    while i < len(text):
        depth += text[i] in "([{"
        depth -= text[i] in ")]}"
        if depth == 0 and text.startswith(mark, i) and not (mark == "==>" and text[i - 1] == "<"):
            parts.append(text[start:i])
            start = i = i + len(mark)
            continue
        i += 1
    return parts + [text[start:]]


def expand(text, known, depth=0):
    """text with the uses of known definitions replaced by what they say."""
    out, at = "", 0
    for m in re.finditer(r"(?<![\w.>\\])([A-Za-z_]\w*)(?:\{(\w+)\})?\s*(\()?", text):
        if m.start() < at or m.group(1) not in known or depth > 12:
            continue
        names, body = known[m.group(1)]
        values, end = [], m.end(1) if not m.group(2) else m.end(2) + 1
        if names and m.group(3):
            end = closing(text, m.end() - 1)
            values = split(text[m.end():end - 1], ",")
        if len(values) != len(names):
            continue
        values = dict(zip(names, (f"({expand(v.strip(), known, depth + 1)})" for v in values)))
        for bound in re.findall(r"\\(?:forall|exists)\s+(?:struct )?\w+\s+([\w, *]+);", body):
            for name in re.findall(r"\w+", bound):  # as nothing else is called
                values.setdefault(name, f"{name}_{m.start()}_{depth}")
        body = WORD.sub(lambda w: values.get(w.group(1), w.group(1)), expand(body, known, depth + 1))
        if m.group(2) in ("Pre", "Old"):
            body = f"\\at({body}, Pre)"
        out += text[at:m.start()] + f"({body})"
        at = end
    return out + text[at:]


def no_memory(text):
    """text with what it says of memory taken to hold: E-ACSL does not see the machine's."""
    while m := MEMORY.search(text):
        end = closing(text, m.end())
        text = text[:m.start()] + "\\true" + text[end:]
    return text


def no_min_max(text):
    """text with \\min and \\max, on which E-ACSL breaks down, as conditions."""
    while m := re.search(r"\\(min|max)\(", text):
        end = closing(text, m.end() - 1)
        a, b = split(text[m.end():end - 1], ",")
        text = text[:m.start()] + f"(({a}) {'<=' if m.group(1) == 'min' else '>='} ({b}) ? ({a}) : ({b}))" + text[end:]
    return text


def guards_first(text):
    """Quantifiers as E-ACSL wants them: one variable each, its bounds, then ==> and the rest."""
    at = 0
    while m := re.search(r"\\forall\s+((?:struct )?\w+)\s+([\w, ]+);", text[at:]):
        start, body, depth = at + m.start(), at + m.end(), 0
        end = len(text)
        for i in range(body, len(text)):
            depth += text[i] in "([{"
            depth -= text[i] in ")]}"
            if depth < 0:
                end = i
                break
        at = body
        names = [n.strip() for n in m.group(2).split(",")]
        parts = split(text[body:end], "==>")
        bounds, rest = {}, []
        for c in conjuncts(parts[0]) if len(parts) > 1 else []:
            bound = re.fullmatch(r"[^<>=!]+<=?\s*(\w+)\s*<=?[^<>=!]+", c.replace("->", "."))
            if bound and bound.group(1) in names and bound.group(1) not in bounds:
                bounds[bound.group(1)] = c
            elif c != "\\true":
                rest.append(f"({c})")
        if set(bounds) == set(names):
            whole = "".join(f"\\forall {m.group(1)} {n}; {bounds[n]} ==> (" for n in names)
            goal = " ==> ".join(([" && ".join(rest)] if rest else []) + [p.strip() for p in parts[1:]])
            text = text[:start] + whole + goal + ")" * len(names) + text[end:]
            at = start + len(whole)
    return text


def conjuncts(text):
    """What a formula says at once, each as a formula."""
    text = text.strip()
    while text.startswith("(") and closing(text, 0) == len(text):
        text = text[1:-1].strip()
    name = re.match(r"[A-Za-z_]\w*\s*:(?!:)", text)
    if name:
        return [f"{name.group(0)} {c}" for c in conjuncts(text[name.end():])]
    if re.match(r"\\(forall|exists|let)\b", text) or any(len(split(text, m)) > 1 for m in ("<==>", "?")):
        return [text]
    parts = split(text, "==>")
    if len(parts) > 1:
        return [f"{parts[0].strip()} ==> ({c})" for c in conjuncts("==>".join(parts[1:]))]
    if len(split(text, "||")) > 1:
        return [text]
    parts = split(text, "&&")
    for i, part in enumerate(parts):  # a quantifier goes on to the end
        if re.match(r"\s*\\(forall|exists|let)\b", part):
            parts[i:] = ["&&".join(parts[i:])]
            break
    return [c for p in parts for c in conjuncts(p)] if len(parts) > 1 else [text]


class Count:
    """Of the things that contracts say: how many are left to E-ACSL, are of memory, cannot run."""
    def __init__(self):
        self.said = self.memory = self.imaginary = self.unknown = 0


def trivial(text):
    """Does it say no more than that something implies \\true?"""
    text = re.sub(r"^[A-Za-z_]\w*\s*:(?!:)", "", text).strip()
    while text.startswith("(") and closing(text, 0) == len(text):
        text = text[1:-1].strip()
    parts = split(text, "==>")
    return text == "\\true" or len(parts) > 1 and trivial(parts[-1])


def if_any(text, types, arrays):
    """text in which what was behind a pointer that may be none is looked at only where there is one:
    E-ACSL keeps it at once, and asks later what a formula says of the pointer."""
    maybe = [n for n in set(re.findall(r"\b(\w+)\)* [!=]= \\null", text)) if n in types]
    at = 0
    while (maybe or arrays) and (m := re.compile(r"\\(?:old|at)\(").search(text, at)):
        end = closing(text, m.end() - 1)
        inner = text[m.end():end]
        if maybe:
            inner = re.sub(rf"(?<![\w.>])\(*({'|'.join(maybe)})\)*->",
                           lambda w: f"({w.group(1)} != \\null ? {w.group(1)} : ({types[w.group(1)]} *)eacsl_none)->",
                           inner)
        for array, n in arrays.items():
            inner = re.sub(rf"{array}\[([^][]+)\]", rf"{array}[(\1) < {n} ? (\1) : 0]", inner)
        text = text[:m.end()] + inner + text[end:]
        at = m.end()
    return text


NUMBER = re.compile(r"((?:const\s+)?(?:enum\s+\w+|u?int\d+_t|size_t|(?:unsigned|signed|int|long|char)"
                    r"(?:\s+(?:int|long|char|short))*|domid_t|evtchn_port_t|grant_ref_t|grant_handle_t))\s+(\w+)")


def parameters(head):
    """{parameter: type} of a function's parameters that are numbers, and of those that point to a struct."""
    found, behind = {}, {}
    for p in split(head[head.index("(") + 1:closing(head, head.index("(")) - 1], ",") if "(" in head else []:
        m = NUMBER.fullmatch(p.strip())
        if m:
            found[m.group(2)] = re.sub(r"const\s+", "", m.group(1))
        m = re.fullmatch(r"(?:mfn_t|gfn_t|gaddr_t)\s+(\w+)", p.strip())
        if m:
            found[m.group(1) + ".v"] = "uint64_t"
        m = re.fullmatch(r"(?:const )?(struct \w+) \*(\w+)", p.strip())
        if m:
            behind[m.group(2)] = m.group(1)
    return found, behind


def cast(text, types):
    """text with each use of a parameter cast to the type that it has: E-ACSL keeps one copy of what
    it was at first, as a machine's number or as a long one, and then takes it for the other."""
    if not types:
        return text
    names = "|".join(map(re.escape, types))
    return re.sub(rf"\\(?:at\(\s*({names})\s*,\s*Pre\)|old\(\s*({names})\s*\))|(?<![\w.>\\])({names})\b(?!\s*:[^:])",
                  lambda m: f"(({types[m.group(1) or m.group(2) or m.group(3)]}){m.group(0)})", text)


def clause(keyword, body, known, gone, count, types, skipped):
    """The clauses that can run of one."""
    body = body.strip().rstrip(";").strip()
    out, plain = [], re.sub(r"\s+", " ", body)
    left_out = any(s in f"{keyword} {plain};" for s in skipped[0])
    for c in conjuncts(expand(body, known)):
        c = re.sub(r"\s+", " ", c)
        count.said += 1
        if set(WORD.findall(c)) & gone:
            count.imaginary += 1
            continue
        if left_out or keyword != "ensures" and "\\at(" in c:  # where E-ACSL takes what is for what was
            count.unknown += 1
            continue
        c = guards_first(no_min_max(no_memory(c)))
        if "\\base_addr" in c or trivial(c):
            count.memory += 1
            continue
        if keyword == "ensures":
            c = cast(if_any(c, types[1], skipped[1]), types[0])
        out.append(f"{keyword} {c};")
    return out


def contract(text, known, gone, count, types, skipped, promise):
    """An ACSL comment's clauses, as they can run; '' when nothing is left. A promise to one who calls
    is of what its clauses require."""
    if re.search(r"\b(axiomatic|lemma)\b", text):
        return ""
    text = DEFINITION.sub("", text + " ")
    if re.search(r"\b(predicate|logic)\b", text):
        return ""
    parts = KEYWORD.split(text)
    out, skip, behaviors = [], False, True
    for keyword, body in zip(parts[1::2], parts[2::2]):
        keyword = re.sub(r"\s+", " ", keyword)
        if keyword.startswith("behavior"):
            skip = False
            out.append(keyword)
        elif "behaviors" in keyword:
            out.append(f"{keyword}{body}" if behaviors else "")
        elif keyword in FRAMES or keyword in ("ghost", "returns"):
            continue
        elif keyword == "assumes" and set(WORD.findall(expand(body, known))) & gone:
            skip, behaviors = True, False
        elif keyword == "assumes":
            out.append(f"assumes {guards_first(no_min_max(no_memory(expand(body, known))))}")
        elif skip or keyword == "assert" and re.search(r"\bfor [\w, ]+:", parts[0]):
            n = len(conjuncts(expand(body, known)))
            count.said, count.imaginary = count.said + n, count.imaginary + n
        else:
            out += clause(keyword, body, known, gone, count, types, skipped)
    if re.match(r"assert\b", "".join(out)):
        return " */ /*@ ".join(out)
    if promise and not re.search(r"^ensures", "\n".join(out), re.M):
        count.said -= sum(c.startswith("requires") for c in out)  # of its caller
        return ""
    if promise and any(c.startswith("requires") for c in out) and not any("behavior" in c for c in out):
        out.sort(key=lambda c: not c.startswith("requires"))
        out = [f"behavior {promise}:"] + [re.sub("^requires", "assumes", c) for c in out]
    return "\n".join(out) if ";" in "".join(out) else ""
