"""docs/COST.md holds what infra/cost.py prints, and that counts what the templates make."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

import contract
import templates as t

sys.path.insert(0, str(t.INFRA))
import cost  # noqa: E402


class Cost(unittest.TestCase):
    def test_the_document_holds_the_tables(self):
        text = (t.ROOT / "docs/COST.md").read_text()
        between = text.split("<!-- infra/cost.py -->\n")[1].split("<!-- end -->")[0]
        self.assertEqual(between.strip(), cost.tables().strip())

    def test_it_counts_what_the_templates_make(self):
        templates = t.read_all()

        def count(kind):
            return sum(len(t.of_type(template, kind)) for template in templates.values())

        self.assertEqual(count("AWS::KMS::Key"), cost.KEYS)
        self.assertEqual(count("AWS::CloudWatch::Dashboard"), cost.DASHBOARDS)
        alarms = [a for template in templates.values() for a in t.of_type(template, "AWS::CloudWatch::Alarm").values()]
        # A metric for each but the expression, which is free.
        self.assertEqual(sum(len(alarm["Properties"]["Metrics"]) - 1 for alarm in alarms), cost.ALARMED)
        sources = [
            event
            for template in templates.values()
            for function in t.of_type(template, "AWS::Serverless::Function").values()
            for event in function["Properties"].get("Events", {}).values()
            if event["Type"] == "SQS"
        ]
        self.assertEqual(len(sources) + count("AWS::Lambda::EventSourceMapping"), cost.MAPPINGS)

    def test_it_has_the_memory_that_the_templates_give(self):
        for template in t.read_all().values():
            for name, function in t.of_type(template, "AWS::Serverless::Function").items():
                own = name.removesuffix("Function").lower()
                if own in cost.WORK:
                    self.assertEqual(function["Properties"]["MemorySize"], cost.WORK[own][1] * 1024, own)

    def test_it_counts_what_the_contract_says(self):
        self.assertEqual(len(contract.metrics()), cost.METRICS)
        ticks = sum(1 / minutes for _, _, minutes in contract.schedules())
        self.assertAlmostEqual(ticks, cost.TICKS_A_MINUTE)
        parameters = t.read("core")["Parameters"]
        self.assertEqual(len([name for name in parameters if "Secret" in name]), cost.SECRETS)
        self.assertEqual(parameters["LogRetentionDays"]["Default"], cost.RETENTION_DAYS)


# As `countersign-bench --only cloud --results FILE` writes them, with figures beside them that are not of this.
RESULTS = {
    "v": 1,
    "machine": {"cpus": 16},
    "figures": {
        "cloud.applied": {"samples": 20, "p50": 812.5, "p90": 900.0, "p99": 950.0, "max": 950.0},
        "cloud.memory.gather": 41.2,
        "cloud.requests.http-api": 1.0,
        "cloud.requests.kms-signatures": 4.0,
        "cloud.requests.lambda-invocations": 20.0,
        "cloud.requests.others": 2.5,
        "cloud.requests.s3-delete": 3.0,
        "cloud.requests.s3-get": 100.0,
        "cloud.requests.s3-put-or-list": 50.0,
        "cloud.requests.sqs--by-functions": 10.0,
        "cloud.requests.sqs--by-mappings": 30.0,
    },
}


class Measured(unittest.TestCase):
    def without(self, name):
        return {"figures": {key: value for key, value in RESULTS["figures"].items() if key != name}}

    def test_each_kind_is_counted_at_its_price(self):
        requests = cost.requests_of_a_change(RESULTS)
        dollars = cost.dollars_of_a_change(requests)
        wanted = {
            "http-api": 1e-6,
            "kms-signatures": 60e-6,
            "lambda-invocations": 4e-6,
            "s3-delete": 0,
            "s3-get": 40e-6,
            "s3-put-or-list": 250e-6,
            "sqs-by-functions": 5e-6,
            "sqs-by-mappings": 15e-6,
        }
        self.assertIsNone(dollars.pop("others"))
        self.assertEqual(set(dollars), set(wanted))
        for kind, price in wanted.items():
            self.assertAlmostEqual(dollars[kind], price, places=12, msg=kind)

    def test_it_prints_each_kind_and_their_sum(self):
        text = cost.measured(RESULTS)
        self.assertIn("| `s3-put-or-list` | 50.0 | 0.2500 |", text)
        self.assertIn("| `others` | 2.5 | no price here |", text)
        self.assertIn("| **all** | **220.5** | **0.3750** |", text)
        self.assertIn("One change costs 0.000375 US dollars in requests.", text)

    def test_what_was_not_measured_is_not_taken_for_nothing(self):
        for name in ("cloud.requests.s3-get", "cloud.requests.sqs--by-mappings"):
            with self.assertRaisesRegex(cost.NotResults, "not measured"):
                cost.measured(self.without(name))
        # Where nothing was deleted it is not counted.
        cost.measured(self.without("cloud.requests.s3-delete"))
        for wrong in ({}, [], {"figures": []}, {"figures": {"cloud.requests.s3-get": "7"}}):
            with self.assertRaises(cost.NotResults):
                cost.measured(wrong)

    def test_a_file_is_read_and_a_wrong_one_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "bench.json"
            file.write_text(json.dumps(RESULTS))
            self.assertEqual(cost.main([str(file)]), cost.measured(RESULTS))
            file.write_text("{")
            for name in (str(file), f"{folder}/absent"):
                with self.assertRaisesRegex(cost.NotResults, name):
                    cost.main([name])
        self.assertEqual(cost.main([]), cost.tables())


if __name__ == "__main__":
    unittest.main()
