"""docs/COST.md holds what infra/cost.py prints, and that counts what the templates make."""

import sys
import unittest

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


if __name__ == "__main__":
    unittest.main()
