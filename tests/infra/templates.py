"""The templates of infra/, read as plain values, and what the tests ask of them."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
NAMES = ["core", "cluster", "link", "witness"]
FUNCTIONS = {
    "core": ["receive", "gather", "evaluate", "record", "report", "poll"],
    "cluster": ["apply", "observe", "drift"],
    "witness": ["witness"],
}


class Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as their long forms."""


def _function(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _function)


def read(name):
    text = (INFRA / f"{name}.yaml").read_text()
    return yaml.load(text, Loader)  # noqa: S506 (a safe loader with CloudFormation's tags)


def read_all():
    return {name: read(name) for name in NAMES}


def permissions():
    return json.loads((INFRA / "permissions.json").read_text())


def many(value):
    return value if isinstance(value, list) else [value]


def of_type(template, kind):
    return {name: found for name, found in template["Resources"].items() if found["Type"] == kind}


def role_name(function):
    return f"{function.capitalize()}Role"


def chosen(statements):
    """The statements of a policy, those that a condition may leave out included."""
    for statement in many(statements):
        if "Fn::If" in statement:
            yield from (branch for branch in statement["Fn::If"][1:] if "Sid" in branch)
        else:
            yield statement


def identity_policies(template):
    """(resource, policy document) of everything that gives a role its rights."""
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", []):
            yield name, policy["PolicyDocument"]


def statements_of(templates, function):
    """Every statement of a function's role, wherever it is given."""
    for template in templates.values():
        for name, document in identity_policies(template):
            if name == role_name(function):
                yield from chosen(document["Statement"])


def actions_of(templates, function):
    return {action for statement in statements_of(templates, function) for action in many(statement["Action"])}


def allowed_by_table(table, function):
    entry = table["functions"][function]
    return {table["calls"][call] for call in entry["calls"]} | set(entry["platform"])


def texts(value):
    """Every text inside a resource's value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            # The first part of an If is the name of its condition, not a text of the result.
            yield from texts(inner[1:] if name == "Fn::If" else inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


# Below a bucket, a wildcard stands for one digest or name after a prefix of `crates/core/src/keys.rs`.
BELOW_A_PREFIX = re.compile(r"^[^*]+/[a-z-]+(/[a-z-]+)*/\*(/[a-z]+\.json)?$")

# Or for one cluster, in the name of a queue; whose account must be one of those that clusters live in.
OF_A_CLUSTER = re.compile(r"^arn:\$\{AWS::Partition\}:sqs:\$\{AWS::Region\}:\*:\$\{Installation\}-[a-z-]+-\*\.fifo$")
IN_CLUSTER_ACCOUNTS = {"StringEquals": {"aws:ResourceAccount": {"Ref": "ClusterAccounts"}}}


def _is_narrow(text, statement):
    of_a_cluster = OF_A_CLUSTER.match(text) and statement.get("Condition") == IN_CLUSTER_ACCOUNTS
    return bool(of_a_cluster or BELOW_A_PREFIX.match(text))


def too_wide(templates):
    """What allows more than it names, of all roles and of all policies on buckets and queues."""
    found = []
    for template_name, template in templates.items():
        for name, document in identity_policies(template):
            for statement in chosen(document["Statement"]):
                where = f"{template_name}.yaml: {name}: {statement['Sid']}"
                found += [f"{where}: {action}" for action in many(statement["Action"]) if "*" in action]
                wide = [text for text in texts(statement["Resource"]) if "*" in text]
                found += [f"{where}: {text}" for text in wide if not _is_narrow(text, statement)]
        for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"):
            for name, policy in of_type(template, kind).items():
                for statement in chosen(policy["Properties"]["PolicyDocument"]["Statement"]):
                    if statement["Effect"] != "Allow":
                        continue
                    where = f"{template_name}.yaml: {name}: {statement['Sid']}"
                    parts = [statement["Principal"], statement["Action"]]
                    found += [f"{where}: {text}" for text in texts(parts) if "*" in text]
                    if "*" in many(statement["Resource"]):
                        found.append(f"{where}: every resource")
    return found
