"""What AWS limits in size has room for hundreds of clusters."""

import json
import re
import unittest

import contract
import templates as t

ACCOUNTS = 100
ELSEWHERE = 100

# The longest that each name can be, or is in any region.
LENGTHS = {
    "AWS::Partition": 10,
    "AWS::Region": 14,
    "AWS::AccountId": 12,
    "AWS::URLSuffix": 16,
    "Installation": 20,
    "Cluster": 30,
}
# ARNs, at their longest: of a bucket, of a key, of what a parameter names.
BUCKET, KEY, ARN = 80, 90, 130


def arn_of(name):
    kinds = {"Bucket": BUCKET, "Key": KEY}
    return next((length for kind, length in kinds.items() if kind in name), ARN)


def resolved(value):
    """A value as CloudFormation would hand it over, at its longest."""
    if isinstance(value, list):
        found = [resolved(one) for one in value]
        return [one for one in found if one is not None]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        if value["Ref"] == "AWS::NoValue":
            return None
        if value["Ref"] == "ClusterAccounts":
            return [f"{number:012}" for number in range(ACCOUNTS)]
        return "x" * LENGTHS.get(value["Ref"], ARN)
    if "Fn::GetAtt" in value:
        return "x" * arn_of(value["Fn::GetAtt"])
    if "Fn::Sub" in value:
        length = lambda found: LENGTHS.get(found[1]) or arn_of(found[1])
        return re.sub(r"\$\{([^}]+)\}", lambda found: "x" * length(found), value["Fn::Sub"])
    if "Fn::If" in value:
        return max((resolved(one) for one in value["Fn::If"][1:]), key=lambda one: len(json.dumps(one)))
    return {name: resolved(inner) for name, inner in value.items()}


def size(policy):
    return len(json.dumps(resolved(policy), separators=(",", ":")))


class Sizes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.templates = t.read_all()

    def each(self, kind):
        for template in self.templates.values():
            yield from ((name, resource["Properties"]) for name, resource in t.of_type(template, kind).items())

    def test_policies_of_roles(self):
        for name, role in self.each("AWS::IAM::Role"):
            total = sum(size(policy["PolicyDocument"]) for policy in role["Policies"])
            self.assertLess(total, 10_240, name)

    def test_policies_of_buckets(self):
        for name, policy in self.each("AWS::S3::BucketPolicy"):
            self.assertLess(size(policy["PolicyDocument"]), 20 * 1024, name)

    def test_policies_of_keys(self):
        for name, key in self.each("AWS::KMS::Key"):
            self.assertLess(size(key["KeyPolicy"]), 32 * 1024, name)

    def test_what_record_is_told(self):
        """Clusters in the core's account cost nothing, others a few letters each."""
        record = self.templates["core"]["Resources"]["RecordFunction"]["Properties"]
        variables = dict(record["Environment"]["Variables"])
        del variables["COUNTERSIGN_CLUSTERS_ELSEWHERE"]
        told = sum(len(name) + len(resolved(value)) for name, value in variables.items())
        self.assertEqual(set(variables) | {"COUNTERSIGN_CLUSTERS_ELSEWHERE"}, contract.told("record"))
        self.assertLess(told + ELSEWHERE * len("123456789012/prod-eu-1,"), 4 * 1024)


class TheseTestsCanFail(unittest.TestCase):
    def test_a_line_for_each_cluster(self):
        role = t.read("core")["Resources"]["RecordRole"]["Properties"]
        statements = role["Policies"][0]["PolicyDocument"]["Statement"]
        statements += [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "x" * ARN}] * ACCOUNTS
        self.assertGreater(size(role["Policies"][0]["PolicyDocument"]), 10_240)


if __name__ == "__main__":
    unittest.main()
