"""What the cloud form costs a month. `python3 infra/cost.py` prints the tables of docs/COST.md, `make infra` compares.

`python3 infra/cost.py RESULTS.json` prints what one change costs by the requests that `make bench BENCH="--only cloud"`
measured. Every number that is an assumption or a price stands here once, with where it is from.
"""

import json
import re
import sys
from pathlib import Path

DAYS = 30
# List prices of us-east-1 in US dollars, without free tiers and discounts, as known in mid-2025.
PRICES = {
    "Lambda": {"a request": 0.20e-6, "a GB-second (arm64)": 13.3334e-6},
    "API Gateway": {"a request (HTTP API)": 1.00e-6},
    "SQS": {"a request (FIFO)": 0.50e-6, "a request (standard)": 0.40e-6},
    "S3": {"a PUT or LIST": 5.0e-6, "a GET": 0.4e-6, "a GB a month": 0.023},
    "KMS": {"a key a month": 1.00, "a signature (ECC)": 15.0e-6},
    "Secrets Manager": {"a secret a month": 0.40},
    "CloudWatch": {
        "a metric a month": 0.30,
        "an alarm's metric a month": 0.10,
        "a dashboard a month": 3.00,
        "a GB of log lines": 0.50,
    },
    "Scheduler": {"an invocation": 1.00e-6},
}

# One change: a pull request that is opened, approved, merged, and deployed to one target on one cluster. Two previews
# and one decision are three looks; with applied and healthy they are five leaves.
DELIVERIES, LOOKS, LEAVES, OBSERVATIONS = 4, 3, 5, 12
# Per function: how often it runs for a change, GB of memory, seconds, GETs and PUTs (or LISTs) of S3 each time.
WORK = {
    "receive": (DELIVERIES, 0.25, 0.05, 2, 1),
    "gather": (LOOKS, 1.0, 2.0, 7, 5),
    "evaluate": (LOOKS, 0.5, 0.1, 1, 1),
    "record": (LEAVES, 0.5, 0.5, 22, 12),
    "apply": (1, 0.5, 3.0, 8, 0),
    "observe": (OBSERVATIONS, 0.5, 0.2, 1, 0),
    "report": (LEAVES, 0.25, 1.0, 4, 0),
}
# Messages that travel in ordered queues: events, facts, decisions, deploys, outcomes, reports. Each is sent, received,
# hidden while it is worked on, and deleted; those in one batch share a request, which is left out.
ORDERED = DELIVERIES + LOOKS + LOOKS + 1 + 2 + LEAVES
REQUESTS_PER_MESSAGE = 4
# Ticks a minute: due and refs (poll), settle (record), drift, witness.
TICKS_A_MINUTE = 1 + 1 / 5 + 1 / 5 + 1 / 15 + 1 / 2
# An idle mapping of a queue holds five long polls of 20 seconds open.
MAPPINGS, POLLS_A_MINUTE = 9, 5 * 3
# What stays: three documents of facts and decisions and a manifest for each change, for a year.
KB_KEPT_PER_CHANGE, MONTHS_KEPT = 130, 12
# An append writes the last, on average half full, bundle of 256 leaves of 1.5 KB twice: staged, and as a partial tile.
# Both stay for LogRetentionDays. At most two appends are made in a second: more leaves share one.
KB_PER_APPEND, RETENTION_DAYS, APPENDS_A_DAY_AT_MOST = 2 * (128 * 1.5 + 6), 365, 2 * 86_400
KB_OF_LOG_LINES = 40
# What the benchmark counts for one change, `cloud.requests.NAME`, with its price. It does not tell ordered queues from
# the other ones, whose requests are a fifth cheaper.
MEASURED = {
    "http-api": ("API Gateway", "a request (HTTP API)"),
    "lambda-invocations": ("Lambda", "a request"),
    "sqs-by-functions": ("SQS", "a request (FIFO)"),
    "sqs-by-mappings": ("SQS", "a request (FIFO)"),
    "s3-get": ("S3", "a GET"),
    "s3-put-or-list": ("S3", "a PUT or LIST"),
    "kms-signatures": ("KMS", "a signature (ECC)"),
}
FREE = {"s3-delete"}
KEYS, SECRETS, METRICS, ALARMED, DASHBOARDS = 5, 4, 4, 32, 1


def month(changes_a_day):
    """Dollars a month by service, of one cluster and a witness, after a year."""
    changes = changes_a_day * DAYS
    minutes = DAYS * 24 * 60
    ticks = TICKS_A_MINUTE * minutes
    runs = sum(times for times, *_ in WORK.values()) * changes
    seconds = sum(times * gb * s for times, gb, s, *_ in WORK.values()) * changes + ticks * 0.25 * 0.2
    gets = sum(times * gets for times, _, _, gets, _ in WORK.values()) * changes + 3 * ticks
    puts = sum(times * puts for times, *_, puts in WORK.values()) * changes + ticks
    appends = min(LEAVES * changes_a_day, APPENDS_A_DAY_AT_MOST)
    stored = (KB_KEPT_PER_CHANGE * changes * MONTHS_KEPT + KB_PER_APPEND * appends * RETENTION_DAYS) / 1e6
    locked = KB_PER_APPEND * appends * RETENTION_DAYS / 1e6
    price = {service: list(prices.values()) for service, prices in PRICES.items()}
    cloudwatch = price["CloudWatch"]
    return {
        "Lambda": (runs + ticks) * price["Lambda"][0] + seconds * price["Lambda"][1],
        "API Gateway": DELIVERIES * changes * price["API Gateway"][0],
        "SQS, messages": REQUESTS_PER_MESSAGE
        * changes
        * (ORDERED * price["SQS"][0] + OBSERVATIONS * price["SQS"][1]),
        "SQS, idle polls": MAPPINGS * POLLS_A_MINUTE * minutes * price["SQS"][0],
        "S3, requests": puts * price["S3"][0] + gets * price["S3"][1],
        "S3, stored": (stored - locked) * price["S3"][2],
        "S3, earlier versions of the log": locked * price["S3"][2],
        "KMS": KEYS * price["KMS"][0] + (appends * DAYS + changes) * price["KMS"][1],
        "Secrets Manager": SECRETS * price["Secrets Manager"][0],
        "CloudWatch": METRICS * cloudwatch[0]
        + ALARMED * cloudwatch[1]
        + DASHBOARDS * cloudwatch[2]
        + changes * KB_OF_LOG_LINES / 1e6 * cloudwatch[3],
        "Scheduler": ticks * price["Scheduler"][0],
    }


def tables():
    """The tables, as Markdown."""
    sizes = [10, 1_000, 100_000]
    months = [month(size) for size in sizes]
    lines = ["| US dollars a month | " + " | ".join(f"{size:,} changes a day" for size in sizes) + " |"]
    lines.append("|---|" + "---:|" * len(sizes))
    lines += [f"| {name} | " + " | ".join(f"{m[name]:,.2f}" for m in months) + " |" for name in months[0]]
    lines.append("| **all** | " + " | ".join(f"**{sum(m.values()):,.2f}**" for m in months) + " |")
    lines += ["", "| service | price of | US dollars |", "|---|---|---:|"]
    for service, prices in PRICES.items():
        for unit, price in prices.items():
            shown = f"{price:.2f}" if price >= 0.01 and round(price, 2) == price else f"{price:.3f}"
            shown = shown if price >= 0.001 else f"{price * 1e6:,.2f} a million"
            lines.append(f"| {service} | {unit} | {shown} |")
    lines += ["", "| function | runs | memory (GB) | seconds | GETs | PUTs and LISTs |", "|---|---:|---:|---:|---:|---:|"]
    lines += [f"| `{name}` | " + " | ".join(str(part) for part in parts) + " |" for name, parts in WORK.items()]
    requests = sum(times * (gets + puts) for times, _, _, gets, puts in WORK.values())
    messages = REQUESTS_PER_MESSAGE * (ORDERED + OBSERVATIONS)
    lines += ["", f"That is {requests} requests of S3, {messages} of SQS and {LEAVES + 1} signatures of KMS for a change."]
    return "\n".join(lines)


class NotResults(Exception):
    """What is wrong with a file that is no result of the benchmark."""


def requests_of_a_change(results):
    """The requests of AWS for one change by kind, of what `countersign-bench --results` wrote."""
    figures = results.get("figures") if isinstance(results, dict) else None
    if not isinstance(figures, dict):
        raise NotResults("no figures: give the JSON that countersign-bench --results wrote")
    beginning, found = "cloud.requests.", {}
    for name, value in figures.items():
        if name.startswith(beginning):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
                raise NotResults(f"{name}: {value!r} is no number of requests")
            # A comma and a blank are two dashes there.
            found[re.sub("-+", "-", name.removeprefix(beginning))] = value
    # A scenario that was not run, or an older one: nothing would be the wrong price for what was not counted.
    missing = [beginning + kind for kind in MEASURED if kind not in found]
    if missing:
        raise NotResults(f'not measured: {", ".join(missing)}: run make bench BENCH="--only cloud"')
    return found


def dollars_of_a_change(requests):
    """Dollars for one change by kind of request; None where no price is known."""
    prices = {kind: PRICES[service][unit] for kind, (service, unit) in MEASURED.items()} | dict.fromkeys(FREE, 0.0)
    return {kind: count * prices[kind] if kind in prices else None for kind, count in requests.items()}


def measured(results):
    """What one change costs by what was measured, as Markdown."""
    requests = requests_of_a_change(results)
    dollars = dollars_of_a_change(requests)
    order = [*MEASURED, *sorted(set(requests) - set(MEASURED))]
    lines = ["| requests | for one change | US dollars for 1,000 changes |", "|---|---:|---:|"]
    for kind in order:
        price = "no price here" if dollars[kind] is None else f"{1_000 * dollars[kind]:,.4f}"
        lines.append(f"| `{kind}` | {requests[kind]:,.1f} | {price} |")
    total = sum(price for price in dollars.values() if price is not None)
    lines.append(f"| **all** | **{sum(requests.values()):,.1f}** | **{1_000 * total:,.4f}** |")
    lines += ["", f"One change costs {total:.6f} US dollars in requests. GB-seconds, what is stored, log lines and"]
    lines += ["what stands there anyway are not in it."]
    return "\n".join(lines)


def main(arguments):
    if not arguments:
        return tables()
    if len(arguments) > 1:
        raise NotResults("usage: cost.py [RESULTS.json]")
    try:
        return measured(json.loads(Path(arguments[0]).read_text()))
    except (OSError, ValueError, NotResults) as error:
        raise NotResults(f"{arguments[0]}: {error}") from error


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except NotResults as error:
        sys.exit(f"infra/cost.py: {error}")
