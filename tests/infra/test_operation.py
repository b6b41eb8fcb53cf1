"""What stands around the functions: entry, network, keys, schedules, queues, log lines, alarms, the dashboard."""

import json
import re
import unittest

import contract
import rights
import templates as t

OPERATIONS = (t.ROOT / "docs/OPERATIONS.md").read_text()

# Those that reach a forge or a cluster, which may be in a network of one's own.
REACH_OUT = {"gather", "report", "poll", "apply", "observe", "drift"}


def named(resource):
    """`record` of RecordFunction."""
    return resource.removesuffix("Function").lower()


def functions(template):
    return {
        named(name): found["Properties"] for name, found in t.of_type(template, "AWS::Serverless::Function").items()
    }


def target(value):
    """The resource that a GetAtt or Ref names."""
    return (value.get("Fn::GetAtt") or value.get("Ref")).split(".")[0]


def anywhere(value, path=()):
    """Every mapping with a single key inside a value, which is how functions of CloudFormation are written."""
    if isinstance(value, dict):
        if len(value) == 1:
            yield path, value
        for name, inner in value.items():
            yield from anywhere(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from anywhere(inner, (*path, place))


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.templates = t.read_all()
        cls.core, cls.cluster, cls.witness = (cls.templates[name] for name in ("core", "cluster", "witness"))

    def each(self, kind):
        for name, template in self.templates.items():
            for resource, found in t.of_type(template, kind).items():
                yield name, template, resource, found["Properties"]


class Entry(Case):
    def test_requests_are_throttled(self):
        (settings,) = [properties["DefaultRouteSettings"] for *_, properties in self.each("AWS::Serverless::HttpApi")]
        self.assertEqual(
            settings, {"ThrottlingRateLimit": {"Ref": "RequestRate"}, "ThrottlingBurstLimit": {"Ref": "RequestBurst"}}
        )
        for name in ("RequestRate", "RequestBurst"):
            parameter = self.core["Parameters"][name]
            self.assertEqual((parameter["Type"], parameter["MinValue"]), ("Number", 1))
            self.assertLessEqual(parameter["Default"], 1000, "what one account may do by default is 10000")

    def test_only_what_the_contract_names_comes_in_and_only_to_receive(self):
        (row,) = [row for row in contract.rows("Functions") if row["function"] == "`receive`"]
        wanted = [tuple(route.split(" ")) for route in contract.quoted(row["event"])]
        found = []
        for _, template, name, properties in self.each("AWS::Serverless::Function"):
            self.assertNotIn("FunctionUrlConfig", properties, name)
            for event in properties.get("Events", {}).values():
                if event["Type"] != "SQS":
                    self.assertEqual((named(name), event["Type"]), ("receive", "HttpApi"))
                    self.assertEqual(event["Properties"]["ApiId"], {"Ref": "Api"})
                    found.append((event["Properties"]["Method"], event["Properties"]["Path"]))
        self.assertEqual(sorted(found), sorted(wanted))

    def test_a_body_is_limited_by_the_platform_alone(self):
        """An HTTP API takes 10 MB and Lambda 6 MB, which no template can raise: there must be no way around it."""
        (properties,) = [properties for *_, properties in self.each("AWS::Serverless::HttpApi")]
        # No definition of its own, which could lead a route past Lambda, and nothing that answers browsers.
        self.assertEqual(set(properties), {"Name", "FailOnWarnings", "DefaultRouteSettings", "AccessLogSettings"})

    def test_the_access_log_holds_neither_bodies_nor_headers(self):
        settings = self.core["Resources"]["Api"]["Properties"]["AccessLogSettings"]
        self.assertEqual(settings["DestinationArn"], {"Fn::GetAtt": "ApiLogs.Arn"})
        shown = json.loads(settings["Format"]).values()
        self.assertTrue(all(re.fullmatch(r"\$context\.[A-Za-z.]+", text) for text in shown), shown)


class Network(Case):
    def test_those_that_reach_out_can_be_put_into_a_vpc_and_no_other(self):
        inside = {"SubnetIds": {"Ref": "SubnetIds"}, "SecurityGroupIds": {"Ref": "SecurityGroupIds"}}
        found = set()
        for _, template, name, properties in self.each("AWS::Serverless::Function"):
            role = template["Resources"][f"{named(name).capitalize()}Role"]["Properties"]
            self.assertEqual("VpcConfig" in properties, "ManagedPolicyArns" in role, name)
            if "VpcConfig" in properties:
                found.add(named(name))
                nothing = {"Ref": "AWS::NoValue"}
                self.assertEqual(properties["VpcConfig"], {"Fn::If": ["InVpc", inside, nothing]})
                condition, arns, otherwise = role["ManagedPolicyArns"]["Fn::If"]
                self.assertEqual((condition, len(arns), otherwise), ("InVpc", 1, nothing))
        self.assertEqual(found, REACH_OUT)

    def test_without_subnets_there_is_no_vpc(self):
        for template in (self.core, self.cluster):
            for name in ("SubnetIds", "SecurityGroupIds"):
                parameter = template["Parameters"][name]
                self.assertEqual((parameter["Type"], parameter["Default"]), ("CommaDelimitedList", ""))
            joined = {"Fn::Join": ["", {"Ref": "SubnetIds"}]}
            self.assertEqual(template["Conditions"]["InVpc"], {"Fn::Not": [{"Fn::Equals": [joined, ""]}]})


class Keys(Case):
    def test_a_key_is_made_only_where_none_is_given(self):
        for name, template, resource, _ in self.each("AWS::KMS::Key"):
            parameter = template["Parameters"][f"{resource}Arn"]
            self.assertEqual((parameter["Type"], parameter["Default"]), ("String", ""), name)
            condition = template["Resources"][resource]["Condition"]
            self.assertEqual(template["Conditions"][condition], {"Fn::Equals": [{"Ref": f"{resource}Arn"}, ""]})
            alias = template["Resources"][f"{resource}Alias"]
            self.assertEqual(alias["Condition"], condition)
            self.assertEqual(alias["Properties"]["TargetKeyId"], {"Ref": resource})

    def test_a_key_that_is_given_stands_in_for_the_one_that_is_made_everywhere(self):
        for name, template, resource, _ in self.each("AWS::KMS::Key"):
            condition = template["Resources"][resource]["Condition"]
            made, given = {"Fn::GetAtt": f"{resource}.Arn"}, {"Ref": f"{resource}Arn"}
            either = {"Fn::If": [condition, made, given]}
            used = 0
            for section in ("Resources", "Outputs"):
                for path, value in anywhere(template[section]):
                    where = f"{name}.yaml: {section}: {'/'.join(map(str, path))}"
                    if value in ({"Ref": resource}, made, given):
                        within = path[-3:-1] if value != {"Ref": resource} else None
                        if within is None:
                            self.assertEqual(path[0], f"{resource}Alias", where)
                        else:
                            self.assertEqual(path[-2], "Fn::If", where)
                    for text in t.texts(list(value.values())):
                        self.assertNotIn(f"${{{resource}", text, where)
                    if "Fn::If" in value and value["Fn::If"][0] == condition:
                        self.assertEqual(value, either, where)
                        used += 1
            self.assertGreater(used, 1, resource)


class Schedules(Case):
    def minutes(self, template, expression):
        if isinstance(expression, dict):
            parameter = re.fullmatch(r"rate\(\$\{(\w+)\} minutes\)", expression["Fn::Sub"])[1]
            # EventBridge does not take `rate(1 minutes)`.
            self.assertGreaterEqual(template["Parameters"][parameter]["MinValue"], 2)
            return template["Parameters"][parameter]["Default"]
        return int(re.fullmatch(r"rate\((1 minute|\d+ minutes)\)", expression)[1].split(" ")[0])

    def test_each_is_what_the_contract_says(self):
        found = set()
        for _, template, _, properties in self.each("AWS::Scheduler::Schedule"):
            task = json.loads(properties["Target"]["Input"])
            self.assertEqual(set(task), {"task"})
            minutes = self.minutes(template, properties["ScheduleExpression"])
            found.add((named(target(properties["Target"]["Arn"])), task["task"], minutes))
            self.assertNotIn("State", properties, "a schedule is enabled where nothing says otherwise")
        self.assertEqual(found, contract.schedules())

    def test_what_one_tick_misses_is_left_to_the_next(self):
        for _, template, name, properties in self.each("AWS::Scheduler::Schedule"):
            self.assertEqual(properties["FlexibleTimeWindow"], {"Mode": "OFF"}, name)
            self.assertEqual(properties["Target"]["RetryPolicy"], {"MaximumRetryAttempts": 0}, name)
            function = template["Resources"][target(properties["Target"]["Arn"])]["Properties"]
            self.assertEqual(function["EventInvokeConfig"]["MaximumRetryAttempts"], 0, name)

    def test_the_role_invokes_what_is_scheduled_and_nothing_else(self):
        for name in ("core", "cluster", "witness"):
            template = self.templates[name]
            schedules = t.of_type(template, "AWS::Scheduler::Schedule").values()
            scheduled = {target(one["Properties"]["Target"]["Arn"]) for one in schedules}
            for one in schedules:
                self.assertEqual(target(one["Properties"]["Target"]["RoleArn"]), "ScheduleRole")
            (policy,) = template["Resources"]["ScheduleRole"]["Properties"]["Policies"]
            (statement,) = policy["PolicyDocument"]["Statement"]
            self.assertEqual({target(one) for one in statement["Resource"]}, scheduled)


class Queues(Case):
    def test_they_are_those_of_the_contract_each_with_its_dead_letters(self):
        found, dead = {}, {}
        for _, template, name, properties in self.each("AWS::SQS::Queue"):
            own = rights.queue_name(template, name)
            (dead if own.startswith("dead-") and name.endswith("DeadQueue") else found)[own] = properties
        self.assertEqual(set(found), set(contract.queues()))
        # What tells record of dead letters has none: it is tried until its messages end.
        told = {name for name in found if name.startswith("dead-letters")}
        self.assertEqual(set(dead), {f"dead-{name}" for name in found if name not in told})
        for name, properties in {**found, **dead}.items():
            ordered = name.removeprefix("dead-") != "observations-CLUSTER"
            self.assertEqual(properties.get("FifoQueue", False), ordered, name)
            self.assertEqual(properties["QueueName"]["Fn::Sub"].endswith(".fifo"), ordered, name)
        for name, properties in found.items():
            self.assertEqual("RedrivePolicy" in properties, name not in told, name)
        for name, properties in dead.items():
            self.assertNotIn("RedrivePolicy", properties, name)

    def test_a_queue_leads_to_its_own_dead_letters(self):
        for _, template, name, properties in self.each("AWS::SQS::Queue"):
            if "RedrivePolicy" in properties:
                dead = target(properties["RedrivePolicy"]["deadLetterTargetArn"])
                self.assertEqual(rights.queue_name(template, dead), f"dead-{rights.queue_name(template, name)}")

    def test_each_is_taken_by_whom_the_contract_says_in_batches_of_its_size(self):
        found = set()
        for _, template, name, properties in self.each("AWS::Serverless::Function"):
            for event in properties.get("Events", {}).values():
                if event["Type"] == "SQS":
                    queue = rights.queue_name(template, target(event["Properties"]["Queue"]))
                    found.add((queue, named(name), event["Properties"]["BatchSize"]))
                    self.assertNotIn("Enabled", event["Properties"], name)
        for name, _, resource, properties in self.each("AWS::Lambda::EventSourceMapping"):
            queue = rights.resource_name(self.templates, name, "record", properties["EventSourceArn"])
            function = properties["FunctionName"]["Fn::Sub"].removeprefix("${Installation}-")
            found.add((queue, function, properties["BatchSize"]))
            self.assertNotIn("Enabled", properties, resource)
        batches = contract.batches()
        wanted = {(queue, taker, batches[taker]) for queue, (_, taker) in contract.queues().items()}
        self.assertEqual(found, wanted)


class LogLines(Case):
    def test_each_function_has_a_group_of_its_own_whose_lines_end(self):
        used = []
        for _, template, name, properties in self.each("AWS::Serverless::Function"):
            used.append(target(properties["LoggingConfig"]["LogGroup"]))
            self.assertEqual(used[-1], f"{named(name).capitalize()}Logs")
        groups = [(template, name, group) for _, template, name, group in self.each("AWS::Logs::LogGroup")]
        self.assertEqual(sorted(name for _, name, _ in groups), sorted([*used, "ApiLogs"]))
        for template, name, group in groups:
            self.assertEqual(group["RetentionInDays"], {"Ref": "LogGroupDays"}, name)
            days = template["Parameters"]["LogGroupDays"]
            self.assertIn(days["Default"], days["AllowedValues"])
            # What the dashboard's people look for, and what the key of the core may be used for.
            self.assertTrue(group["LogGroupName"]["Fn::Sub"].startswith("/${Installation}/"), name)
            self.assertTrue(group["LogGroupName"]["Fn::Sub"].endswith("/" + named(name.removesuffix("Logs"))), name)

    def test_those_of_the_core_are_under_its_key(self):
        for name, group in t.of_type(self.core, "AWS::Logs::LogGroup").items():
            self.assertEqual(group["Properties"]["KmsKeyId"]["Fn::If"][0], "MakesStorageKey", name)


class Log(Case):
    def test_every_version_is_locked_from_the_beginning(self):
        bucket = self.core["Resources"]["LogBucket"]["Properties"]
        self.assertIs(bucket["ObjectLockEnabled"], True)
        kept = {"Mode": {"Ref": "LogLockMode"}, "Days": {"Ref": "LogRetentionDays"}}
        self.assertEqual(
            bucket["ObjectLockConfiguration"], {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": kept}}
        )
        parameters = self.core["Parameters"]
        self.assertEqual(parameters["LogLockMode"]["AllowedValues"], ["GOVERNANCE", "COMPLIANCE"])
        self.assertGreaterEqual(parameters["LogRetentionDays"]["MinValue"], 1)
        self.assertGreaterEqual(parameters["LogRetentionDays"]["Default"], 365)

    def test_nothing_that_is_current_is_ever_deleted_by_a_rule(self):
        rules = self.core["Resources"]["LogBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        for rule in rules:
            self.assertFalse({"ExpirationInDays", "ExpirationDate", "Transitions"} & set(rule))
            self.assertEqual(rule["NoncurrentVersionExpiration"], {"NoncurrentDays": {"Ref": "LogRetentionDays"}})
        data = self.core["Resources"]["DataBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        self.assertEqual([rule["Prefix"] for rule in data if "ExpirationInDays" in rule], ["deliveries/"])

    def test_no_role_of_ours_can_lift_the_lock(self):
        for name in t.permissions()["functions"]:
            for action in t.actions_of(self.templates, name):
                self.assertNotRegex(action, "Retention|LegalHold|Version|Lifecycle|BucketPolicy")


class Alarms(Case):
    def alarm(self, template, name):
        return template["Resources"][f"{name}Alarm"]["Properties"]

    def watched(self, template, name):
        """(namespace, metric, the values of its dimensions) of all that an alarm looks at."""
        found = set()
        for metric in self.alarm(template, name)["Metrics"][1:]:
            of = metric["MetricStat"]["Metric"]
            values = tuple(target(dimension["Value"]) for dimension in of["Dimensions"])
            found.add((of["Namespace"], of["MetricName"], *values))
        return found

    def of_queues(self, template, metric, dead):
        queues = t.of_type(template, "AWS::SQS::Queue")
        return {("AWS/SQS", metric, name) for name in queues if name.endswith("DeadQueue") == dead}

    def test_a_message_that_waits_and_one_that_is_dead_are_told_of_each_queue(self):
        for template in (self.core, self.cluster):
            waiting = self.of_queues(template, "ApproximateAgeOfOldestMessage", dead=False)
            self.assertEqual(self.watched(template, "Waiting"), waiting)
            self.assertEqual(self.alarm(template, "Waiting")["Threshold"], 300)
            dead = self.of_queues(template, "ApproximateNumberOfMessagesVisible", dead=True)
            self.assertEqual(self.watched(template, "DeadLetters"), dead)
            self.assertEqual(self.alarm(template, "DeadLetters")["Threshold"], 0)

    def test_each_function_that_fails_is_told(self):
        for template in (self.core, self.cluster, self.witness):
            failed = {("AWS/Lambda", "Errors", f"{name.capitalize()}Function") for name in functions(template)}
            self.assertEqual(self.watched(template, "Failures"), failed)

    def test_a_log_that_stands_while_decisions_wait_is_told(self):
        age = ("AWS/SQS", "ApproximateAgeOfOldestMessage", "DecisionsQueue")
        self.assertEqual(self.watched(self.core, "LogStands"), {age, ("Countersign", "Appended", "Installation")})
        expression = self.alarm(self.core, "LogStands")["Metrics"][0]["Expression"]
        # Where nothing is appended nothing is counted either, so that its absence must count as nought.
        self.assertRegex(expression, r"waiting > \d+ AND FILL\(appended, 0\) == 0")

    def test_what_is_refused_changed_by_hand_or_rewritten_is_told_at_once(self):
        of_cluster = ("Installation", "Cluster")
        for template, name, dimensions in (
            (self.cluster, "Refused", of_cluster),
            (self.cluster, "Drifted", of_cluster),
            (self.witness, "Inconsistent", ("Installation",)),
        ):
            self.assertEqual(self.watched(template, name), {("Countersign", name, *dimensions)})
            alarm = self.alarm(template, name)
            self.assertEqual((alarm["Threshold"], alarm["EvaluationPeriods"]), (0, 1), name)

    def test_an_entry_that_fails_is_told(self):
        self.assertEqual(self.watched(self.core, "Refusing"), {("AWS/ApiGateway", "5xx", "Api")})

    def test_all_that_is_counted_is_in_the_contract_by_whom_it_says(self):
        counted = {}
        for _, template, _, properties in self.each("AWS::CloudWatch::Alarm"):
            for metric in properties["Metrics"][1:]:
                of = metric["MetricStat"]["Metric"]
                if of["Namespace"] == "Countersign":
                    counted[of["MetricName"]] = (set(functions(template)), [d["Name"] for d in of["Dimensions"]])
        wanted = contract.metrics()
        self.assertEqual(set(counted), set(wanted))
        for name, (beside, dimensions) in counted.items():
            self.assertIn(wanted[name], beside, f"{name}: an alarm finds a metric in its own account only")
            of_cluster = wanted[name] in t.FUNCTIONS["cluster"]
            self.assertEqual(dimensions, ["Installation", "Cluster"] if of_cluster else ["Installation"])

    def test_each_uses_all_that_it_looks_at_and_reaches_people(self):
        for _, _, name, properties in self.each("AWS::CloudWatch::Alarm"):
            with self.subTest(alarm=name):
                result, *metrics = properties["Metrics"]
                used = set(re.findall(r"\b[a-z]+\b", result["Expression"]))
                self.assertEqual(used, {metric["Id"] for metric in metrics})
                self.assertEqual([metric["ReturnData"] for metric in metrics], [False] * len(metrics))
                self.assertEqual(properties["ComparisonOperator"], "GreaterThanThreshold")
                self.assertEqual(properties["TreatMissingData"], "notBreaching")
                told = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
                self.assertEqual((properties["AlarmActions"], properties["OKActions"]), (told, told))

    def test_people_are_told_what_each_asks_for(self):
        names = {name.removesuffix("Alarm") for _, _, name, _ in self.each("AWS::CloudWatch::Alarm")}
        section = OPERATIONS.split("\n## What an alarm asks for\n")[1].split("\n## ")[0]
        self.assertEqual(set(re.findall(r"(?m)^\| `(\w+)`", section)), names)


class Dashboard(Case):
    def setUp(self):
        (self.dashboard,) = [properties for *_, properties in self.each("AWS::CloudWatch::Dashboard")]
        self.text = self.dashboard["DashboardBody"]["Fn::Sub"]
        self.widgets = json.loads(re.sub(r"\$\{([^}]+)\}", r"<\1>", self.text))["widgets"]

    def shown(self, namespace, metric):
        """What is in the last place of each line of a metric, where `...` repeats the line before."""
        found = set()
        for widget in self.widgets:
            line = []
            for metrics in widget["properties"]["metrics"]:
                parts = [part for part in metrics if isinstance(part, str)]
                line = [*line[:-1], parts[-1]] if parts[0] == "..." else parts
                if line[:2] == [namespace, metric]:
                    found.add(line[-1].strip("<>").split(".")[0])
        return found

    def test_it_names_each_function_and_queue_of_the_core(self):
        queues = set(t.of_type(self.core, "AWS::SQS::Queue"))
        dead = {name for name in queues if name.endswith("DeadQueue")}
        self.assertEqual(self.shown("AWS/SQS", "ApproximateAgeOfOldestMessage"), queues - dead)
        self.assertEqual(self.shown("AWS/SQS", "ApproximateNumberOfMessagesVisible"), dead)
        of_core = set(t.of_type(self.core, "AWS::Serverless::Function"))
        for metric in ("Errors", "Duration"):
            self.assertEqual(self.shown("AWS/Lambda", metric), of_core)
        self.assertEqual(self.shown("Countersign", "Appended"), {"Installation"})

    def test_each_part_is_of_the_region_that_the_stack_is_in(self):
        for widget in self.widgets:
            self.assertEqual(widget["properties"]["region"], "<AWS::Region>")


if __name__ == "__main__":
    unittest.main()
