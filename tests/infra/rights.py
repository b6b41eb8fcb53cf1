"""What each role allows on what, as (action, resource): by infra/CONTRACT.md, and by the templates."""

import re

import contract
import templates as t

TAKING = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
ACTIONS = {"r": "s3:GetObject", "b": "s3:GetObject", "w": "s3:PutObject", "d": "s3:DeleteObject"}

# Where a key that is not there is a 404: who may list, and where. Everybody else is answered 403.
TELL_ABSENCE = {
    "receive": ["data"],
    "gather": ["data"],
    "record": ["data", "log"],
    "poll": ["data"],
    "apply": ["log"],
    "drift": ["log"],
    "witness": ["log", "witness"],
}
# The keys of KMS that a bucket's objects are under, and those that sign.
STORED_UNDER = {"data": "StorageKey", "manifests": "ManifestKey"}
SIGNED_WITH = {
    "COUNTERSIGN_LOG_KEY": "LogKey",
    "COUNTERSIGN_AUTHORIZATION_KEY": "AuthorizationKey",
    "COUNTERSIGN_PREVIOUS_LOG_KEY": "PreviousLogKey",
    "COUNTERSIGN_PREVIOUS_AUTHORIZATION_KEY": "PreviousAuthorizationKey",
    "COUNTERSIGN_WITNESS_KEY": "WitnessKey",
}
# Who reads which secrets: the column *holds* of the design, by the core's parameters.
SECRETS = {
    "receive": "WebhookSecretArns",
    "gather": "ForgeReadSecretArns",
    "poll": "ForgeReadSecretArns",
    "report": "ForgeStatusSecretArns",
    "record": "PseudonymSecretArn",
}
# Queues of one cluster, as its link names them, or of all clusters, as record's role does.
QUEUE_OF_A_CLUSTER = re.compile(
    r"arn:\$\{AWS::Partition\}:sqs:\$\{AWS::Region\}:(?:\*|\$\{In\}):\$\{Installation\}-([a-z-]+)-(?:\*|\$\{Cluster\})\.fifo"
)
# Where a role is narrower than its row: of the log only what is staged and partial tiles is ever deleted.
NARROWER = {("record", "s3:DeleteObject", "log/log/*"): ["log/log/staging/*", "log/log/tile/*"]}


def by_contract(function):
    """All that a function's role must allow, and nothing else."""
    on_keys, told = contract.rights_on_keys(function), contract.told(function)
    found = {("logs:CreateLogStream", "own log group"), ("logs:PutLogEvents", "own log group")}
    for letter, bucket, pattern in on_keys:
        if letter in ACTIONS:
            action, resource = ACTIONS[letter], f"{bucket}/{pattern}"
            found |= {(action, one) for one in NARROWER.get((function, action, resource), [resource])}
        if bucket in STORED_UNDER and letter in "rbw":
            use = "kms:GenerateDataKey" if letter == "w" else "kms:Decrypt"
            found.add((use, STORED_UNDER[bucket]))
    found |= {("s3:ListBucket", bucket) for bucket in TELL_ABSENCE.get(function, [])}
    for queue, (senders, taker) in contract.queues().items():
        if function in senders:
            found.add(("sqs:SendMessage", queue))
        if function == taker:
            found |= {(action, queue) for action in TAKING}
            # What it gives up it moves itself, with the reason.
            if "COUNTERSIGN_MAX_RECEIVES" in told:
                found.add(("sqs:SendMessage", f"dead-{queue}"))
    for variable in told & set(SIGNED_WITH):
        found |= {("kms:Sign", SIGNED_WITH[variable]), ("kms:GetPublicKey", SIGNED_WITH[variable])}
    if function in SECRETS:
        found.add(("secretsmanager:GetSecretValue", SECRETS[function]))
    if "COUNTERSIGN_EKS_CLUSTER" in told:
        found.add(("eks:DescribeCluster", "own cluster"))
    return found


def by_templates(templates, function):
    """All that the templates let a function's role do."""
    found = set()
    for name, statement in _statements(templates, function):
        for resource in t.many(statement["Resource"]):
            named = resource_name(templates, name, function, resource)
            found |= {(action, named) for action in t.many(statement["Action"])}
    return found


def listed(templates, function):
    """(bucket, pattern) of all that a function's role lets it list."""
    found = set()
    for name, statement in _statements(templates, function):
        if "s3:ListBucket" in t.many(statement["Action"]):
            patterns = statement["Condition"]["StringLikeIfExists"]["s3:prefix"]
            for resource in t.many(statement["Resource"]):
                found |= {(resource_name(templates, name, function, resource), one) for one in patterns}
    return found


def _statements(templates, function):
    for name, template in templates.items():
        for statement in t.statements_of({name: template}, function):
            yield name, statement


def queue_name(template, resource):
    """A queue's name as CONTRACT.md writes it."""
    text = template["Resources"][resource]["Properties"]["QueueName"]["Fn::Sub"]
    return text.removeprefix("${Installation}-").removesuffix(".fifo").replace("${Cluster}", "CLUSTER")


def resource_name(templates, name, function, value):
    """What a policy's resource is, in the words of CONTRACT.md; anything that it has no word for as it stands."""
    template = templates[name]
    if "Fn::If" in value:
        # A key that is made, or one that exists already.
        made, given = (resource_name(templates, name, function, one) for one in value["Fn::If"][1:])
        return made if made == given else f"{made} or {given}"
    if "Ref" in value:
        return value["Ref"].removesuffix("Arn") if value["Ref"].endswith("KeyArn") else value["Ref"]
    if "Fn::GetAtt" in value:
        resource = value["Fn::GetAtt"].removesuffix(".Arn")
        kind = template["Resources"][resource]["Type"]
        if kind == "AWS::SQS::Queue":
            return queue_name(template, resource)
        if kind == "AWS::Logs::LogGroup":
            return "own log group" if resource == f"{function.capitalize()}Logs" else resource
        return _bucket(resource) if kind == "AWS::S3::Bucket" else resource
    text = value["Fn::Sub"]
    if queue := QUEUE_OF_A_CLUSTER.fullmatch(text if isinstance(text, str) else text[0]):
        return f"{queue[1]}-CLUSTER"
    if text.endswith(":eks:${AWS::Region}:${AWS::AccountId}:cluster/${EksCluster}"):
        return "own cluster"
    below = re.fullmatch(r"(?:arn:\$\{AWS::Partition\}:s3:::\$\{(\w+)\}|\$\{(\w+)\.Arn\})(/.+)?", text)
    return f"{_bucket(below[1] or below[2])}{below[3] or ''}" if below else text


def _bucket(resource):
    return {"ManifestBucket": "manifests"}.get(resource, resource.removesuffix("Bucket").lower())
