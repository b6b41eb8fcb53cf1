"""Each role allows exactly what infra/permissions.json says, and names what it allows it on."""

import copy
import unittest

import templates as t


class Permissions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.templates = t.read_all()
        cls.table = t.permissions()

    def test_the_table_speaks_of_every_function(self):
        functions = {name for names in t.FUNCTIONS.values() for name in names}
        self.assertEqual(set(self.table["functions"]), functions)
        roles = {
            name
            for template in self.templates.values()
            for name in t.of_type(template, "AWS::IAM::Role")
            if name != "ScheduleRole"
        }
        self.assertEqual(roles, {t.role_name(name) for name in functions})

    def test_each_role_allows_what_the_table_says_and_nothing_else(self):
        for function in self.table["functions"]:
            with self.subTest(function=function):
                self.assertEqual(
                    t.actions_of(self.templates, function), t.allowed_by_table(self.table, function)
                )

    def test_the_table_explains_all_that_it_uses_and_nothing_else(self):
        entries = self.table["functions"].values()
        self.assertEqual({call for entry in entries for call in entry["calls"]}, set(self.table["calls"]))
        used = {action for entry in entries for action in entry["platform"]}
        self.assertEqual(used, set(self.table["platform"]))

    def test_nothing_is_allowed_on_everything(self):
        self.assertEqual(t.too_wide(self.templates), [])

    def test_nothing_gives_a_role_rights_but_the_role_itself(self):
        for template in self.templates.values():
            kinds = {resource["Type"] for resource in template["Resources"].values()}
            found = {kind for kind in kinds if kind.startswith("AWS::IAM::")}
            self.assertLessEqual(found, {"AWS::IAM::Role"})

    def test_no_role_has_a_policy_of_aws_but_the_one_that_a_vpc_needs(self):
        for template in self.templates.values():
            for name, role in t.of_type(template, "AWS::IAM::Role").items():
                found = [text for text in t.texts(role["Properties"].get("ManagedPolicyArns", [])) if ":" in text]
                found = [text for text in found if not text.startswith("AWS::")]
                for arn in found:
                    self.assertTrue(arn.endswith("/AWSLambdaENIManagementAccess"), f"{name}: {arn}")

    def test_schedules_only_invoke_what_they_name(self):
        for name in ("core", "cluster", "witness"):
            statements = self.templates[name]["Resources"]["ScheduleRole"]["Properties"]["Policies"][0]
            for statement in statements["PolicyDocument"]["Statement"]:
                self.assertEqual(t.many(statement["Action"]), ["lambda:InvokeFunction"])

    def test_only_record_and_the_witness_sign(self):
        signers = {name for name in self.table["functions"] if "kms:Sign" in t.actions_of(self.templates, name)}
        self.assertEqual(signers, {"record", "witness"})

    def test_manifests_are_read_where_secrets_may_be_seen(self):
        self.assertEqual(self.functions_with("s3:GetObject", "/manifests/"), {"gather", "apply", "observe", "drift"})

    def test_the_log_and_the_state_have_one_writer(self):
        for prefix in ("/log/", "/state/targets", "/state/*", "/authorizations/"):
            with self.subTest(prefix=prefix):
                self.assertLessEqual(self.functions_with("s3:PutObject", prefix), {"record"})
        self.assertEqual(self.functions_with("s3:PutObject", "/log/"), {"record"})

    def functions_with(self, action, part):
        return {
            function
            for function in self.table["functions"]
            for statement in t.statements_of(self.templates, function)
            if action in t.many(statement["Action"])
            and any(part in text for text in t.texts(statement["Resource"]))
        }


class TheseTestsCanFail(unittest.TestCase):
    """What the tests above look for is found when it is there."""

    def setUp(self):
        self.templates = copy.deepcopy(t.read_all())
        role = self.templates["core"]["Resources"]["ReceiveRole"]["Properties"]
        self.statements = role["Policies"][0]["PolicyDocument"]["Statement"]

    def test_an_action_more(self):
        self.statements.append({"Sid": "X", "Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:x"})
        allowed = t.allowed_by_table(t.permissions(), "receive")
        self.assertEqual(t.actions_of(self.templates, "receive") - allowed, {"s3:DeleteObject"})

    def test_an_action_less(self):
        del self.statements[0]
        allowed = t.allowed_by_table(t.permissions(), "receive")
        self.assertTrue(allowed - t.actions_of(self.templates, "receive"))

    def test_queues_of_clusters_in_any_account(self):
        role = self.templates["core"]["Resources"]["RecordRole"]["Properties"]
        statements = t.chosen(role["Policies"][0]["PolicyDocument"]["Statement"])
        (sends,) = [one for one in statements if one["Sid"] == "SendToClusters"]
        del sends["Condition"]
        self.assertEqual(len(t.too_wide(self.templates)), 1)
        sends.update({"Condition": t.IN_CLUSTER_ACCOUNTS, "Resource": "arn:${AWS::Partition}:sqs:${AWS::Region}:*:*"})
        self.assertEqual(len(t.too_wide(self.templates)), 1)

    def test_a_wildcard(self):
        for wide in ("*", "arn:aws:s3:::*", "arn:aws:s3:::bucket/*", {"Fn::Sub": "${DataBucket.Arn}/*"}):
            with self.subTest(wide=wide):
                self.statements[0]["Resource"] = wide
                self.assertEqual(len(t.too_wide(self.templates)), 1)
        self.statements[0].update({"Resource": "arn:x", "Action": "s3:*"})
        self.assertEqual(len(t.too_wide(self.templates)), 1)

    def test_a_bucket_for_everyone(self):
        policy = self.templates["core"]["Resources"]["DataBucketPolicy"]["Properties"]["PolicyDocument"]
        policy["Statement"].append(
            {"Sid": "X", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:x"}
        )
        self.assertEqual(len(t.too_wide(self.templates)), 1)


if __name__ == "__main__":
    unittest.main()
