"""The story of story.test.ts, told by a client from Python's standard library alone: over both bindings."""

import json
import os
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

PROGRAM = os.environ["WORKFLOW_PROGRAM"]
TOKEN = "a-token-of-the-story-test"
TEXT = """workflow:
  name: Story
  stages: [plan, ship]
plan:
  provider: demo
  prompt: "Plan ${vars.feature}"
ship:
  provider: demo
  prompt: "Ship ${stages.plan.output}"
  approval: "Ship it?"
"""


class Failure(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]


def unwrap(envelope):
    if not envelope["success"]:
        raise Failure(envelope["error"])
    return envelope["data"]


class Stdio:
    """JSON lines with a child process."""

    def __init__(self, home):
        command = [PROGRAM, "--home", str(home / ".orch"), "serve", "--stdio"]
        self.child = subprocess.Popen(command, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.last = 0
        self.waiting = []

    def send(self, operation, request):
        self.last += 1
        self.child.stdin.write(json.dumps({"id": self.last, "operation": operation, "request": request}) + "\n")
        self.child.stdin.flush()
        return self.last

    def read(self):
        line = self.child.stdout.readline()
        assert line, "the program has ended"
        return json.loads(line)

    def call(self, operation, request):
        number = self.send(operation, request)
        while True:
            line = self.read()
            if line.get("id") == number:
                return unwrap(line)
            self.waiting.append(line)

    def follow(self, run):
        number = self.call("workflow:runs:subscribe", {"runs": [run]})["subscription"]
        while True:
            line = self.waiting.pop(0) if self.waiting else self.read()
            if line.get("subscription") != number:
                continue
            if line.get("ended"):
                return
            yield from line["messages"]

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(timeout=60) == 0


class Http:
    """POST for operations, server-sent events for the stream."""

    def __init__(self, home):
        token = home / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        command = [PROGRAM, "--home", str(home / ".orch"), "serve", "--listen", "127.0.0.1:0"]
        command += ["--token-file", str(token), "--allow", "admin"]
        self.child = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True)
        self.base = self.child.stdout.readline().strip() + "/api/v1"
        # A proxy of the environment does not concern this machine.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def request(self, path, body=None):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        return self.opener.open(urllib.request.Request(self.base + path, data=body, headers=headers), timeout=60)

    def call(self, operation, request):
        try:
            with self.request("/" + operation, json.dumps(request).encode()) as response:
                return unwrap(json.load(response))
        except urllib.error.HTTPError as failure:
            return unwrap(json.load(failure))

    def follow(self, run):
        query = urllib.parse.urlencode({"subscribe": json.dumps({"runs": [run]})})
        with self.request("/stream?" + query) as response:
            event = None
            for line in response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data" and event == "end":
                    return
                elif name == "data":
                    yield from json.loads(value)

    def close(self):
        self.child.terminate()
        self.child.wait(timeout=60)


def refused(code, call):
    try:
        call()
    except Failure as failure:
        assert failure.code == code, failure.code
    else:
        raise AssertionError(f"it is not refused with {code}")


def follow(client, run):
    """The events of a run to its end; what it asks is answered."""
    events, output = [], []
    for message in client.follow({"runId": run, "after": 0, "afterOutput": 0}):
        if message["type"] == "workflow-run:output":
            output.append(message["entry"]["text"])
        elif message["type"] == "workflow-run:event":
            events.append(message["event"])
            if message["event"]["type"] == "stage_asked":
                client.call("workflow:runs:answer", {"runId": run, "wait": message["seq"], "value": True})
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "run_completed", events[-1]
    return output


def story(client):
    welcome = client.call("service:hello", {"protocol": 1, "client": "story.py"})
    assert welcome["scopes"] == ["read", "run", "edit", "admin"], welcome
    refused("version_mismatch", lambda: client.call("service:hello", {"protocol": 0}))

    wrong = client.call("workflow:validate", {"id": "story", "text": TEXT.replace("provider: demo", "provider: demon", 1)})
    assert [problem["path"] for problem in wrong["diagnostics"]] == ["plan.provider"], wrong
    assert client.call("workflow:validate", {"id": "story", "text": TEXT})["valid"]
    client.call("workflow:create", {"id": "story", "text": TEXT})
    refused("exists", lambda: client.call("workflow:create", {"id": "story", "text": TEXT}))

    run = client.call("workflow:run", {"id": "story", "vars": {"feature": "search"}})["runId"]
    assert "Plan search" in follow(client, run)
    assert client.call("workflow:runs:get", {"runId": run})["run"]["status"] == "completed"

    at = {"runId": run, "at": {"stage": "ship"}, "outputs": {"plan": "another plan"}}
    fork = client.call("workflow:runs:fork", at)["runId"]
    follow(client, fork)
    stages = client.call("workflow:runs:get", {"runId": fork})["run"]["context"]["stages"]
    assert stages["plan"]["output"] == "another plan", stages

    for name in (run, fork):
        client.call("workflow:runs:delete", {"runId": name})
        refused("not_found", lambda: client.call("workflow:runs:get", {"runId": name}))
    client.call("workflow:delete", {"id": "story"})
    assert client.call("workflow:list", {})["workflows"] == []


for binding in (Stdio, Http):
    with tempfile.TemporaryDirectory() as folder:
        client = binding(Path(folder))
        try:
            story(client)
            client.close()
        finally:
            if client.child.poll() is None:
                client.child.kill()
                client.child.wait()
    print(f"the story is complete over {binding.__name__}")
