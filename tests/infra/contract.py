"""infra/CONTRACT.md, read as plain values."""

import re

import templates as t

TEXT = (t.INFRA / "CONTRACT.md").read_text()
KEYS = (t.ROOT / "crates/core/src/keys.rs").read_text()

# The paragraph below the table of keys: what the witness reads, and what it keeps.
OF_THE_WITNESS = {"log/": "r", "witness/": "rw"}

# A row that stands for all that the code names below a prefix and no other row does.
REST = "the rest of "


def rows(heading):
    """The rows of the table below a heading, each by the names of its columns."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    names, _, *found = [[cell.strip() for cell in line] for line in lines]
    return [dict(zip(names, cells, strict=True)) for cells in found]


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def all_functions():
    return [quoted(row["function"])[0] for row in rows("Functions")]


def batches():
    """The most messages of one batch, of each function that takes messages."""
    return {quoted(row["function"])[0]: int(row["batch"]) for row in rows("Functions") if row["batch"]}


def variables():
    """Who finds each variable."""
    everyone, found = all_functions(), {}
    for row in rows("Variables"):
        but = row["who"].removeprefix("all but ") if row["who"].startswith("all but ") else None
        named = everyone if but or row["who"] == "all" else row["who"].split(", ")
        found[quoted(row["variable"])[0]] = {name for name in named if name != but}
    return found


def told(function):
    """The variables that a function finds."""
    return {name for name, who in variables().items() if function in who}


def queues():
    """Who sends to each queue, and who takes from it."""
    return {
        quoted(row["queue"])[0]: (set(row["sent by"].split(", ")), row["taken by"]) for row in rows("Queues")
    }


def metrics():
    """Who counts each metric."""
    return {quoted(row["metric"])[0]: row["by"] for row in rows("Metrics")}


def schedules():
    """(function, task, minutes) of all that is invoked from time to time."""
    tasks, found = {"record": "settle"}, set()
    for row in rows("Functions"):
        name = quoted(row["function"])[0]
        for minutes, task in re.findall(r"every (?:(\d+) )?minutes?(?: \(`([a-z]+)`\))?", row["event"]):
            found.add((name, task or tasks.get(name, name), int(minutes or 1)))
    return found


def keys_of_the_code():
    """Every key and prefix that keys.rs names; what it fills in stands as {}."""
    texts = re.findall(r'"([a-z]+[./][^"]*|[a-z]+\.json)"', KEYS)
    return {re.sub(r"\{[^}]*\}", "{}", text) for text in texts if " " not in text}


def glob(text):
    """A key or prefix of the table, as a policy writes it."""
    return f"{text}*" if text.endswith("/") else text


def covers(pattern, key):
    """Whether a policy's pattern matches a key of the code, whatever is filled in."""
    sample = key.replace("{}", "0") + ("0" if key.endswith("/") else "")
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), sample) is not None


def kept():
    """(patterns, bucket, rights by function) of each row."""
    table, found = rows("What is kept where"), []
    named = [glob(text) for row in table if not row["keys"].startswith(REST) for text in quoted(row["keys"])]
    for row in table:
        texts = quoted(row["keys"])
        patterns = [glob(text) for text in texts]
        if row["keys"].startswith(REST):
            below = [key for key in keys_of_the_code() if key.startswith(texts[0])]
            below = [key for key in below if not any(covers(pattern, key) for pattern in named)]
            patterns = sorted(glob(key.split("{}")[0]) for key in below)
        rights = {name: row[name] for name in all_functions() if row.get(name)}
        if texts[0] in OF_THE_WITNESS:
            rights["witness"] = OF_THE_WITNESS[texts[0]]
        bucket = row["bucket"].removeprefix("the ").removesuffix("'s own")
        found.append((patterns, bucket, rights))
    return found


def rights_on_keys(function):
    """(letter, bucket, pattern) of all that a function may do with keys."""
    return {
        (letter, bucket, pattern)
        for patterns, bucket, rights in kept()
        for pattern in patterns
        for letter in rights.get(function, "")
    }
