"""What cfn-lint and checkov do not know: the rules of this installation."""

import re
import unittest

import templates as t

KEYS = t.ROOT / "crates/core/src/keys.rs"
CONTRACT = t.INFRA / "CONTRACT.md"
# Prefixes that no stage uses, so that keys.rs does not name them: CONTRACT.md does.
OF_THE_CONTRACT = {"genesis.json", "witness/"}


def functions(template):
    return t.of_type(template, "AWS::Serverless::Function")


def attribute(value):
    """The resource that a GetAtt or Ref names."""
    return (value.get("Fn::GetAtt") or value.get("Ref")).split(".")[0]


class Templates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.templates = t.read_all()
        cls.contract = CONTRACT.read_text()

    def resources(self, kind):
        for template in self.templates.values():
            yield from t.of_type(template, kind).items()

    def test_functions_are_small_arm_machines_with_logs_that_end(self):
        for name, template in self.templates.items():
            if not functions(template):
                continue
            shared = template["Globals"]["Function"]
            self.assertEqual(shared["Runtime"], "provided.al2023")
            self.assertEqual(shared["Architectures"], [{"Ref": "Architecture"}])
            self.assertEqual(template["Parameters"]["Architecture"]["Default"], "arm64")
            for function, resource in functions(template).items():
                with self.subTest(template=name, function=function):
                    properties = resource["Properties"]
                    self.assertFalse({"Runtime", "Architectures"} & set(properties))
                    group = template["Resources"][attribute(properties["LoggingConfig"]["LogGroup"])]
                    self.assertIn("RetentionInDays", group["Properties"])
                    own = function.removesuffix("Function")
                    self.assertEqual(attribute(properties["Role"]), f"{own}Role")
                    self.assertEqual(properties["CodeUri"], f"../dist/{own.lower()}.zip")

    def test_record_works_alone(self):
        record = self.templates["core"]["Resources"]["RecordFunction"]["Properties"]
        self.assertEqual(record["ReservedConcurrentExecutions"], 1)

    def test_batches_fail_in_part_and_a_queue_outwaits_its_function(self):
        for template in self.templates.values():
            for name, resource in functions(template).items():
                properties = resource["Properties"]
                sources = [e["Properties"] for e in properties.get("Events", {}).values() if e["Type"] == "SQS"]
                for source in sources:
                    with self.subTest(function=name):
                        self.assertEqual(source["FunctionResponseTypes"], ["ReportBatchItemFailures"])
                        queue = template["Resources"][attribute(source["Queue"])]["Properties"]
                        self.assertEqual(queue["VisibilityTimeout"], 6 * properties["Timeout"])
        record = self.templates["core"]["Resources"]["RecordFunction"]["Properties"]
        for name, mapping in t.of_type(self.templates["link"], "AWS::Lambda::EventSourceMapping").items():
            self.assertEqual(mapping["Properties"]["FunctionResponseTypes"], ["ReportBatchItemFailures"], name)
            queue = self.templates["cluster"]["Resources"][f"{name}Queue"]["Properties"]
            self.assertEqual(queue["VisibilityTimeout"], 6 * record["Timeout"])

    def test_queues_are_encrypted_kept_two_weeks_and_have_dead_letters(self):
        for name, resource in self.resources("AWS::SQS::Queue"):
            with self.subTest(queue=name):
                properties = resource["Properties"]
                self.assertIs(properties["SqsManagedSseEnabled"], True)
                self.assertEqual(properties["MessageRetentionPeriod"], 14 * 24 * 3600)
                # What tells record of dead letters is tried for ever.
                if not name.endswith("DeadQueue") and name != "DeadLettersQueue":
                    redrive = properties["RedrivePolicy"]
                    dead = name.removesuffix("Queue") + "DeadQueue"
                    self.assertEqual(attribute(redrive["deadLetterTargetArn"]), dead)
                    self.assertEqual(redrive["maxReceiveCount"], 1000)

    def test_what_is_refused_is_not_received_more_often_than_the_queue_allows(self):
        for template in self.templates.values():
            for name, resource in functions(template).items():
                variables = resource["Properties"]["Environment"]["Variables"]
                self.assertEqual(variables.get("COUNTERSIGN_MAX_RECEIVES", "288"), "288", name)

    def test_queues_and_buckets_are_reached_by_tls_only(self):
        for kind, policies in (("AWS::SQS::Queue", "AWS::SQS::QueuePolicy"), ("AWS::S3::Bucket", "AWS::S3::BucketPolicy")):
            for template in self.templates.values():
                covered = set()
                for policy in t.of_type(template, policies).values():
                    properties = policy["Properties"]
                    first = properties["PolicyDocument"]["Statement"][0]
                    self.assertEqual((first["Sid"], first["Effect"]), ("OnlyByTls", "Deny"))
                    covered |= {attribute(on) for on in t.many(properties.get("Queues") or properties["Bucket"])}
                self.assertEqual(covered, set(t.of_type(template, kind)))

    def test_buckets_are_versioned_encrypted_and_closed(self):
        for name, resource in self.resources("AWS::S3::Bucket"):
            with self.subTest(bucket=name):
                properties = resource["Properties"]
                self.assertEqual(properties["VersioningConfiguration"], {"Status": "Enabled"})
                self.assertEqual(set(properties["PublicAccessBlockConfiguration"].values()), {True})
                self.assertIn("BucketEncryption", properties)
                self.assertEqual(resource["DeletionPolicy"], "Retain")
        log = self.templates["core"]["Resources"]["LogBucket"]["Properties"]
        self.assertIs(log["ObjectLockEnabled"], True)
        self.assertIn("DefaultRetention", log["ObjectLockConfiguration"]["Rule"])

    def test_schedules_are_found_by_the_names_of_the_contract(self):
        for name, resource in self.resources("AWS::Scheduler::Schedule"):
            task = name.removesuffix("Schedule").lower()
            of_cluster = "${Cluster}-" if task == "drift" else ""
            wanted = {"Fn::Sub": f"${{Installation}}-{of_cluster}{task}"}
            self.assertEqual(resource["Properties"]["Name"], wanted)

    def test_keys_stay(self):
        for name, resource in self.resources("AWS::KMS::Key"):
            self.assertEqual((resource["DeletionPolicy"], resource["UpdateReplacePolicy"]), ("Retain", "Retain"), name)

    def test_only_the_named_role_can_sign_whatever_other_roles_allow(self):
        for template in self.templates.values():
            for name, key in t.of_type(template, "AWS::KMS::Key").items():
                if name == "StorageKey":
                    continue
                for statement in t.chosen(key["Properties"]["KeyPolicy"]["Statement"]):
                    uses = {"kms:*", "kms:Sign", "kms:Decrypt", "kms:GenerateDataKey"} & set(t.many(statement["Action"]))
                    if uses:
                        condition = statement["Condition"]
                        roles = condition.get("ArnEquals") or condition["ArnLike"]
                        self.assertIn("aws:PrincipalArn", roles, name)

    def test_every_queue_has_an_alarm_and_alarms_reach_people(self):
        for name in ("core", "cluster"):
            template = self.templates[name]
            watched = set()
            for alarm in t.of_type(template, "AWS::CloudWatch::Alarm").values():
                for metric in alarm["Properties"]["Metrics"][1:]:
                    for dimension in metric["MetricStat"]["Metric"]["Dimensions"]:
                        watched.add(attribute(dimension["Value"]))
            self.assertLessEqual(set(t.of_type(template, "AWS::SQS::Queue")), watched)
            self.assertLessEqual(set(functions(template)), watched)
        for name, alarm in self.resources("AWS::CloudWatch::Alarm"):
            self.assertIn("AlarmActions", alarm["Properties"], name)

    def test_prefixes_are_those_of_the_code(self):
        keys = KEYS.read_text()
        named = set(re.findall(r'"([a-z]+(?:/[a-z-]+)*/)', keys)) | OF_THE_CONTRACT
        for function in t.permissions()["functions"]:
            for statement in t.statements_of(self.templates, function):
                for text in t.texts(statement["Resource"]):
                    below = re.search(r"(?:Arn|Bucket)\}/([a-z][a-z./-]*)", text)
                    if below:
                        known = any(prefix.startswith(below[1]) or below[1].startswith(prefix) for prefix in named)
                        self.assertTrue(known, f"{function}: {text}: no key of keys.rs begins so")

    def test_the_contract_and_the_templates_name_the_same_variables(self):
        used = {
            variable
            for _, resource in self.resources("AWS::Serverless::Function")
            for variable in resource["Properties"]["Environment"]["Variables"]
        }
        self.assertEqual(used, set(re.findall(r"COUNTERSIGN_[A-Z_]+", self.contract)))

    def test_the_contract_has_each_function_with_its_sizes(self):
        for template in self.templates.values():
            for name, resource in functions(template).items():
                properties = resource["Properties"]
                own = name.removesuffix("Function").lower()
                row = rf"^\| `{own}` \|.*\| {properties['MemorySize']} MB \| {properties['Timeout']} s \|"
                self.assertRegex(self.contract, re.compile(row, re.MULTILINE))

    def test_templates_use_nothing_that_cloudformation_does_not_read(self):
        for name in t.NAMES:
            text = (t.INFRA / f"{name}.yaml").read_text()
            self.assertNotRegex(text, r"(?m)^\s*[\w-]+: [&*]\w", f"{name}.yaml: CloudFormation knows no YAML aliases")


if __name__ == "__main__":
    unittest.main()
