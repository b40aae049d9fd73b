"""Gives the requests that schemathesis makes the ids of workflows and runs that exist: random ones are only ever not found."""

import atexit
import sys

import schemathesis

TEXT = "workflow: { name: Text, stages: [a] }\na: { provider: demo, prompt: Hi }\n"
# Files and runs that the step makes.
KEPT = ["hello", "asks", "nothing"]
RUNS = ["done", "asking", "left", "nothing"]
# Those that requests make, and which may be deleted.
MADE = ["made", "nothing"]

VALUES = {
    "id": KEPT,
    "newId": MADE,
    "workflow": KEPT,
    "runId": RUNS,
    "otherRunId": RUNS,
    "newRunId": MADE,
    "text": [TEXT, "workflow: {}", "Write lists.\n", "graph: [{ id: a, type: run }]", ""],
    "stage": ["greet", "nothing"],
}
DELETES = {
    "id": MADE,
    "runId": MADE,
    "runIds": MADE,
    "endedBefore": ["2020-01-01T00:00:00Z", "soon"],
}


def narrow(properties, field, values):
    kind = properties.get(field, {})
    if kind.get("type") == "array":
        kind["items"] = {"enum": values}
    elif field in properties and "integer" not in str(kind.get("type")):
        properties[field] = {"enum": values}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    schemas = raw_schema["components"]["schemas"]
    for name, path in raw_schema["paths"].items():
        request = path["post"]["requestBody"]["content"]["application/json"]["schema"]
        request = schemas.get(request.get("$ref", "").rsplit("/", 1)[-1], request)
        action = name.rsplit(":", 1)[-1]
        values = dict(VALUES)
        if action in ("delete", "deleteMany", "prune", "remove", "cancel", "kill"):
            values.update(DELETES)
        if action in ("create", "import"):
            values["id"] = MADE
        for field in values:
            narrow(request.get("properties", {}), field, values[field])


ANSWERED = {}


@schemathesis.hook
def after_call(context, case, response):
    ANSWERED.setdefault(case.path, set()).add(response.status_code)


@atexit.register
def tell():
    succeeded = {path for path, statuses in ANSWERED.items() if 200 in statuses}
    others = [path.rsplit("/", 1)[-1] for path in sorted(set(ANSWERED) - succeeded)]
    if ANSWERED:
        print(f"{len(succeeded)} operations succeeded at least once; never: {', '.join(others) or 'none'}", file=sys.stderr)
