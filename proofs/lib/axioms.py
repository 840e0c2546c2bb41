"""Checks every axiom of the proofs' headers without Frama-C: each is translated to
bit vectors wide enough that nothing wraps, and CVC5 and Z3 must both find its negation
unsatisfiable. usage: axioms.py FILE...

Understood: `logic integer f(integer x, ...) = term;`, `predicate p(...) = formula;` and
`axiom n: \\forall type x, ...; formula;` over machine integers (uint64_t and so on), with
the operators of C, and <==> and ==>. `logic integer f(...);` with
`axiom f_def: \\forall ...; f(...) == term;` is a definition too, which the solvers that
work for WP do not unfold by themselves. Anything else is an error.
"""
import re
import subprocess
import sys

WIDTH = 160  # a 64-bit word shifted by up to 63 stays far from the sign
TYPES = {"uint8_t": 8, "uint16_t": 16, "uint32_t": 32, "uint64_t": 64, "bool": 1}
TOKEN = re.compile(
    r"\s*(0[xX][0-9a-fA-F]+|\d+|\\?[A-Za-z_]\w*|<==>|==>|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>()?:,;=])")
# Binary operators from the loosest to the tightest; ACSL's bitwise operators here as in C.
LEVELS = [["<==>"], ["==>"], ["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="],
          ["<", "<=", ">", ">="], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]]
SMT = {"<==>": "=", "==>": "=>", "||": "or", "&&": "and", "|": "bvor", "^": "bvxor",
       "&": "bvand", "==": "=", "<": "bvslt", "<=": "bvsle", ">": "bvsgt", ">=": "bvsge",
       "<<": "bvshl", ">>": "bvashr", "+": "bvadd", "-": "bvsub", "*": "bvmul",
       "/": "bvsdiv", "%": "bvsrem"}
CHAINS = {"<", "<=", ">", ">=", "=="}


def literal(text):
    return f"(_ bv{int(text, 0)} {WIDTH})"


class Parser:
    def __init__(self, text, functions):
        self.tokens = []
        at = 0
        text = text.strip()
        while at < len(text):
            m = TOKEN.match(text, at)
            if not m:
                raise ValueError(f"cannot read: {text[at:at + 40]!r}")
            self.tokens.append(m.group(1))
            at = m.end()
        self.at, self.functions = 0, functions

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, expected=None):
        token = self.peek()
        if token is None or (expected and token != expected):
            raise ValueError(f"expected {expected}, found {token}")
        self.at += 1
        return token

    def formula(self, scope):
        result = self.binary(0, scope)
        if self.peek() == "?":
            self.take()
            yes = self.formula(scope)
            self.take(":")
            return f"(ite {result} {yes} {self.formula(scope)})"
        return result

    def binary(self, level, scope):
        if level == len(LEVELS):
            return self.unary(scope)
        left = self.binary(level + 1, scope)
        if self.peek() not in LEVELS[level]:
            return left
        if self.peek() in CHAINS:  # a <= b < c means both
            parts = []
            while self.peek() in LEVELS[level]:
                op = self.take()
                right = self.binary(level + 1, scope)
                parts.append(f"({SMT[op]} {left} {right})" if op != "!=" else
                             f"(not (= {left} {right}))")
                left = right
            return parts[0] if len(parts) == 1 else f"(and {' '.join(parts)})"
        while self.peek() in LEVELS[level]:
            op = self.take()
            if op == "==>":  # to the right
                return f"(=> {left} {self.binary(level, scope)})"
            right = self.binary(level + 1, scope)
            left = (f"(not (= {left} {right}))" if op == "!=" else f"({SMT[op]} {left} {right})")
        return left

    def unary(self, scope):
        token = self.take()
        if token == "!":
            return f"(not {self.unary(scope)})"
        if token == "~":
            return f"(bvnot {self.unary(scope)})"
        if token == "-":
            return f"(bvneg {self.unary(scope)})"
        if token == "(" and self.peek() in TYPES:  # a cast keeps the low bits
            bits = TYPES[self.take()]
            self.take(")")
            return (f"((_ zero_extend {WIDTH - bits}) ((_ extract {bits - 1} 0) "
                    f"{self.unary(scope)}))")
        if token == "(":
            inside = self.formula(scope)
            self.take(")")
            return inside
        if token[0].isdigit():
            return literal(token)
        if self.peek() == "(" and token in self.functions:
            self.take()
            arguments = [self.formula(scope)]
            while self.peek() == ",":
                self.take()
                arguments.append(self.formula(scope))
            self.take(")")
            return f"(acsl_{token} {' '.join(arguments)})"
        if token in scope:
            return token
        raise ValueError(f"{token} is not known")


def read(text, functions=None, definitions=None):
    """Definitions as SMT text, and (name, declarations, formula) of each axiom. The
    functions and definitions of files read before are added to, and known."""
    text = "\n".join(m.group(0)[3:-2] for m in re.finditer(r"/\*@.*?\*/", text, re.S))
    text = re.sub(r"//[^\n]*", "", text)
    functions = set() if functions is None else functions
    definitions = [] if definitions is None else definitions
    axioms, declared = [], set()
    items = re.compile(r"\b(axiom)\b([^;]*;[^;]*);|\b(logic|predicate)\b([^;]*);", re.S)
    for parts in items.findall(text):
        kind, body = (part for part in parts if part)
        body = re.sub(r"\s+", " ", body.strip())
        if kind == "logic" and "=" not in body:
            declared.add(re.match(r"integer (\w+)", body).group(1))
            continue
        if kind == "axiom":
            name, body = body.split(":", 1)
            names, formula = re.match(r"\s*\\forall ([^;]*);(.*)", body).groups()
            whole = re.fullmatch(r" *((\w+) ?\([^()]*\)) == (.*)", formula)
            if whole and name.strip() == whole.group(2) + "_def" and whole.group(2) in declared:
                declared.remove(whole.group(2))  # one definition, and of nothing used before
                kind, body = "logic", f"integer {whole.group(1)} = {whole.group(3)}"
        if kind == "axiom":
            scope, of_type = {}, None
            for item in names.split(","):
                words = item.split()
                of_type = words[0] if len(words) == 2 else of_type
                scope[words[-1]] = TYPES[of_type]
            parser = Parser(formula, functions)
            formula = parser.formula(scope)
            if parser.peek() is not None:
                raise ValueError(f"{name}: {parser.peek()} is left over")
            axioms.append((name.strip(), scope, formula))
            continue
        head, formula = body.split("=", 1)
        if "{" in head:  # reads memory: an axiom that used it would be about something unknown
            continue
        name, names = re.match(r"(?:integer )?(\w+)(?: ?\(([^)]*)\))?", head).groups()
        scope = [n.split()[-1] for n in names.split(",")] if names else []
        parser = Parser(formula, functions)
        sort = "Bool" if kind == "predicate" else f"(_ BitVec {WIDTH})"
        arguments = " ".join(f"({n} (_ BitVec {WIDTH}))" for n in scope)
        definitions.append(f"(define-fun acsl_{name} ({arguments}) {sort} {parser.formula(scope)})")
        functions.add(name)
    return definitions, axioms


def query(definitions, name, scope, formula):
    lines = ["(set-logic QF_BV)", *definitions]
    for variable, bits in scope.items():
        # Zero-extended from its own width: the range of its type, and easy to decide.
        lines.append(f"(declare-const {variable}_ (_ BitVec {bits}))")
        lines.append(f"(define-fun {variable} () (_ BitVec {WIDTH})"
                     f" ((_ zero_extend {WIDTH - bits}) {variable}_))")
    return "\n".join([*lines, f"(assert (not {formula}))", "(check-sat)"]) + "\n"


def check(paths, solvers=("cvc5", "z3")):
    """Rows (file, axiom, answers); an axiom holds when every answer is unsat."""
    command = {"cvc5": ["cvc5", "--lang=smt2", "-"], "z3": ["z3", "-in", "-smt2"]}
    common = set(), []
    for path in paths:
        with open(path, encoding="utf-8") as f:
            definitions, axioms = read(f.read(), *common)
        for axiom in axioms:
            text = query(definitions, *axiom)
            yield path, axiom[0], [
                subprocess.run(command[s], input=text, capture_output=True, text=True,
                               timeout=300).stdout.strip() for s in solvers]


if __name__ == "__main__":
    wrong = total = 0
    for where, which, answers in check(sys.argv[1:]):
        total += 1
        wrong += answers != ["unsat", "unsat"]
        print(f"{where}: {which}: {', '.join(answers)}")
    print(f"{total} axioms, {wrong} refuted or undecided")
    sys.exit(wrong != 0 or total == 0)
