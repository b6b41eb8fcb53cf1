"""Each role allows what infra/CONTRACT.md says on what it says, nothing missing and nothing more."""

import copy
import unittest

import contract
import rights
import templates as t

# The roles of the functions of one installation's clusters: no name has a dot, so that it begins no other's.
OF_CLUSTERS = [
    {"Fn::Sub": f"arn:${{AWS::Partition}}:iam::*:role/${{Installation}}.*.{name}"} for name in t.FUNCTIONS["cluster"]
]
ROLE = "arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/${{Installation}}-{}"


def policy(templates, name, resource):
    document = templates[name]["Resources"][resource]["Properties"]
    document = document.get("PolicyDocument") or document["KeyPolicy"]
    return {statement["Sid"]: statement for statement in t.chosen(document["Statement"])}


def differences(templates):
    """What each role allows too much and too little."""
    found = []
    for function in contract.all_functions():
        wanted, given = rights.by_contract(function), rights.by_templates(templates, function)
        found += [f"{function}: not in CONTRACT.md: {action} on {on}" for action, on in sorted(given - wanted)]
        found += [f"{function}: missing: {action} on {on}" for action, on in sorted(wanted - given)]
    return found


def below(templates, name, statement):
    return {rights.resource_name(templates, name, "", one) for one in t.many(statement["Resource"])}


class Rights(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.templates = t.read_all()

    def test_each_role_allows_what_the_contract_says_and_nothing_else(self):
        self.assertEqual(differences(self.templates), [])

    def test_every_key_of_the_code_is_in_the_contract(self):
        patterns = [pattern for found, *_ in contract.kept() for pattern in found]
        for key in contract.keys_of_the_code():
            self.assertTrue(any(contract.covers(pattern, key) for pattern in patterns), key)

    def test_a_role_lists_only_what_it_reads_or_is_to_list(self):
        for function in contract.all_functions():
            with self.subTest(function=function):
                listed = rights.listed(self.templates, function)
                on_keys = contract.rights_on_keys(function)
                may = {(bucket, pattern) for letter, bucket, pattern in on_keys if letter in "rbl"}
                must = {(bucket, pattern) for letter, bucket, pattern in on_keys if letter == "l"}
                buckets = set(rights.TELL_ABSENCE.get(function, []))
                # One statement may speak of two buckets: what is not in one of them is no key there.
                self.assertLessEqual({pattern for _, pattern in listed}, {pattern for _, pattern in may})
                self.assertLessEqual(must, listed)
                self.assertEqual({bucket for bucket, _ in listed}, buckets)

    def test_statements_allow_and_only_listing_and_queues_of_clusters_have_conditions(self):
        for function in contract.all_functions():
            for statement in t.statements_of(self.templates, function):
                self.assertEqual(statement["Effect"], "Allow", f"{function}: {statement['Sid']}")
                if statement.get("Condition") == t.IN_CLUSTER_ACCOUNTS:
                    self.assertTrue(all(t.OF_A_CLUSTER.match(text) for text in t.texts(statement["Resource"])))
                elif "Condition" in statement:
                    self.assertEqual(t.many(statement["Action"]), ["s3:ListBucket"], function)

    def test_functions_of_a_cluster_have_roles_that_the_core_knows_by_their_names(self):
        for function in t.FUNCTIONS["cluster"]:
            name = self.templates["cluster"]["Resources"][t.role_name(function)]["Properties"]["RoleName"]
            self.assertEqual(name, {"Fn::Sub": f"${{Installation}}.${{Cluster}}.{function}"})
            for parameter in ("Installation", "Cluster"):
                pattern = self.templates["cluster"]["Parameters"][parameter]["AllowedPattern"]
                self.assertNotRegex("a.b", pattern)

    def test_roles_are_lambdas_alone(self):
        for name, template in self.templates.items():
            for role, resource in t.of_type(template, "AWS::IAM::Role").items():
                service = "scheduler" if role == "ScheduleRole" else "lambda"
                trusted = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
                self.assertEqual([one["Principal"] for one in trusted], [{"Service": f"{service}.amazonaws.com"}], name)

    def test_each_function_finds_the_variables_that_the_contract_says(self):
        wanted = contract.variables()
        for template in self.templates.values():
            for name, resource in t.of_type(template, "AWS::Serverless::Function").items():
                own = name.removesuffix("Function").lower()
                given = set(resource["Properties"]["Environment"]["Variables"])
                self.assertEqual(given, {variable for variable, who in wanted.items() if own in who}, own)


class OtherAccounts(unittest.TestCase):
    """What buckets, keys and queues say of roles that may be in other accounts."""

    @classmethod
    def setUpClass(cls):
        cls.templates = t.read_all()
        of_cluster = t.FUNCTIONS["cluster"]
        cls.wanted = set().union(*(rights.by_contract(function) for function in of_cluster))

    def wanted_on(self, action, bucket):
        return {on for found, on in self.wanted if found == action and on.split("/")[0] == bucket}

    def test_buckets_let_clusters_do_what_their_roles_allow(self):
        for bucket, resource, sids in (
            ("data", "DataBucketPolicy", ["Clusters"]),
            ("manifests", "ManifestBucketPolicy", ["Clusters"]),
            ("log", "LogBucketPolicy", ["ClustersRead", "ClustersList"]),
        ):
            statements = policy(self.templates, "core", resource)
            allowed = {sid for sid, one in statements.items() if one["Effect"] == "Allow" and "Reader" not in sid}
            self.assertEqual(allowed, set(sids))
            for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"):
                given = [one for sid, one in statements.items() if sid in sids and action in t.many(one["Action"])]
                found = set().union(*(below(self.templates, "core", one) for one in given))
                self.assertEqual(found, self.wanted_on(action, bucket), f"{resource}: {action}")
            for sid in sids:
                self.assertEqual(statements[sid]["Principal"], {"AWS": {"Ref": "ClusterAccounts"}})
                condition = {"ArnLike": {"aws:PrincipalArn": OF_CLUSTERS}}
                self.assertEqual(statements[sid]["Condition"], condition)

    def test_keys_let_clusters_decrypt_through_s3_alone(self):
        for key in ("StorageKey", "ManifestKey"):
            statement = policy(self.templates, "core", key)["Clusters"]
            self.assertEqual(t.many(statement["Action"]), ["kms:Decrypt"])
            self.assertEqual(statement["Condition"]["ArnLike"], {"aws:PrincipalArn": OF_CLUSTERS})
            self.assertIn("kms:ViaService", statement["Condition"]["StringEquals"])

    def test_readers_read_the_log_and_the_witness_and_nothing_else(self):
        log = policy(self.templates, "core", "LogBucketPolicy")
        witness = policy(self.templates, "witness", "WitnessBucketPolicy")
        self.assertEqual(below(self.templates, "core", log["ReadersRead"]), {"log/log/*"})
        self.assertEqual(below(self.templates, "witness", witness["ReadersRead"]), {"witness/witness/*"})
        for statement in (log["ReadersRead"], witness["ReadersRead"]):
            self.assertEqual(statement["Action"], "s3:GetObject")
        self.assertEqual(log["ReadersList"]["Action"], "s3:ListBucket")
        for resource in ("DataBucketPolicy", "ManifestBucketPolicy"):
            self.assertFalse([sid for sid in policy(self.templates, "core", resource) if "Reader" in sid])

    def test_queues_of_a_cluster_let_record_do_what_its_role_allows(self):
        wanted = {(action, on) for action, on in rights.by_contract("record") if on.endswith("-CLUSTER")}
        by_record, given = {"ArnEquals": {"aws:PrincipalArn": {"Ref": "RecordRoleArn"}}}, set()
        for resource in t.of_type(self.templates["cluster"], "AWS::SQS::QueuePolicy"):
            for statement in policy(self.templates, "cluster", resource).values():
                if statement["Effect"] == "Allow":
                    self.assertEqual(statement["Condition"], by_record)
                    on = below(self.templates, "cluster", statement)
                    given |= {(action, one) for action in t.many(statement["Action"]) for one in on}
        self.assertEqual(given, wanted)

    def test_nobody_but_record_writes_log_state_and_authorizations_and_nobody_but_the_witness_its_own(self):
        for name, resource, sid, writer, on in (
            ("core", "DataBucketPolicy", "OneWriterOfState", "record", {"data/state/*", "data/authorizations/*"}),
            ("core", "LogBucketPolicy", "OneWriter", "record", {"log/*"}),
            ("witness", "WitnessBucketPolicy", "OneWriter", "witness", {"witness/*"}),
        ):
            statement = policy(self.templates, name, resource)[sid]
            self.assertEqual((statement["Effect"], statement["Principal"]), ("Deny", "*"))
            self.assertIn("s3:PutObject", t.many(statement["Action"]))
            self.assertEqual(below(self.templates, name, statement), on)
            role = {"ArnNotEquals": {"aws:PrincipalArn": {"Fn::Sub": ROLE.format(writer)}}}
            self.assertEqual(statement["Condition"], role)

    def test_each_function_is_a_group_of_its_own_to_the_cluster(self):
        entries = t.of_type(self.templates["cluster"], "AWS::EKS::AccessEntry")
        given = {
            (entry["Properties"]["PrincipalArn"]["Fn::GetAtt"], *entry["Properties"]["KubernetesGroups"])
            for entry in entries.values()
        }
        of_cluster = t.FUNCTIONS["cluster"]
        self.assertEqual(given, {(f"{t.role_name(name)}.Arn", f"countersign:{name}") for name in of_cluster})


class TheseTestsCanFail(unittest.TestCase):
    """What the tests above look for is found when it is there."""

    def setUp(self):
        self.templates = copy.deepcopy(t.read_all())

    def statements(self, role, name="core"):
        policies = self.templates[name]["Resources"][role]["Properties"]["Policies"]
        return {one["Sid"]: one for one in t.chosen(policies[0]["PolicyDocument"]["Statement"])}

    def test_a_prefix_more(self):
        self.statements("EvaluateRole")["ReadStore"]["Resource"].append({"Fn::Sub": "${DataBucket.Arn}/people/*"})
        self.assertEqual(
            differences(self.templates), ["evaluate: not in CONTRACT.md: s3:GetObject on data/people/*"]
        )

    def test_a_prefix_that_is_wider_than_its_row(self):
        resources = self.statements("PollRole")["ReadStore"]["Resource"]
        resources.remove({"Fn::Sub": "${DataBucket.Arn}/state/due/*"})
        resources.append({"Fn::Sub": "${DataBucket.Arn}/state/*"})
        self.assertEqual(len(differences(self.templates)), 2)

    def test_a_prefix_less(self):
        self.statements("ReportRole")["ReadStore"]["Resource"].pop()
        self.assertEqual(differences(self.templates), ["report: missing: s3:GetObject on data/blobs/*"])

    def test_the_right_action_on_the_wrong_queue(self):
        self.statements("EvaluateRole")["SendMessages"]["Resource"][0] = {"Fn::GetAtt": "ReportsQueue.Arn"}
        self.assertEqual(len(differences(self.templates)), 2)

    def test_the_key_of_another(self):
        self.statements("ApplyRole", "cluster")["UseKeys"]["Resource"].pop()
        self.assertEqual(differences(self.templates), ["apply: missing: kms:Decrypt on ManifestKey"])

    def test_the_queues_of_clusters_that_record_does_not_send_to(self):
        sends = self.statements("RecordRole")["SendToClusters"]
        sends["Resource"]["Fn::Sub"] = sends["Resource"]["Fn::Sub"].replace("deploys", "observations")
        self.assertEqual(len(differences(self.templates)), 2)

    def test_the_log_lines_of_another(self):
        self.statements("PollRole")["WriteLogLines"]["Resource"] = {"Fn::GetAtt": "RecordLogs.Arn"}
        self.assertEqual(len(differences(self.templates)), 4)


if __name__ == "__main__":
    unittest.main()
