"""pxgrid-util as a node, with a password and with a certificate."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError

from pxgrid_util import Config, PXGridControl, query

given = json.loads(sys.argv[1])


def operator(*arguments):
    command = [given["portreeve"], "pxgrid", *arguments, "--config", given["config"]]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def options(node, *proof):
    where = ["-a", "localhost", "--port", str(given["port"]), "-s", given["ca"]]
    return [*where, "-n", node, "-d", "Utility 0.8", *proof]


def check(node, proof, name):
    arguments = options(node, *proof)
    sys.argv = ["check", *arguments]
    config = Config()
    control = PXGridControl(config)
    state = control.account_activate()["accountState"]
    if state == "PENDING":
        operator("approve", node)
        state = control.account_activate()["accountState"]
    assert state == "ENABLED", state

    service = control.service_lookup("com.cisco.ise.mdm")["services"][0]
    secret = control.get_access_secret(service["nodeName"])["secret"]
    url = service["properties"]["restBaseUrl"]

    def ask(method, **question):
        answer = query(config, secret, f"{url}/{method}", json.dumps(question))
        return json.loads(answer) if answer else None

    one = ask("getEndpointByMacAddress", macAddress=given["compliant"])
    assert one["compliant"] is True, one
    assert ask("getEndpointByMacAddress", macAddress=given["unknown"]) is None
    chosen = ask("getEndpoints", filter={"macAddress": given["compliant"]})["endpoints"]
    assert chosen == [one], chosen
    assert control.service_lookup("com.cisco.ise.session") == {"services": []}
    print(f"ok endpoints with {name}")

    # The package's own command, without the right at first.
    def quarantine(*wanted):
        command = [Path(sys.executable).with_name("anc-policy"), *arguments, *wanted]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout) if done.returncode == 0 else None

    assert quarantine("--get-anc-policies") is None
    operator("approve", node, "--may", "mdm,anc,publish")
    assert quarantine("--get-anc-policies") == {"policies": []}
    policy, mac = f"lock-{name}", ["--anc-mac-address", given["compliant"]]
    created = quarantine("--create-anc-policy", policy, "--anc-policy-action", "SHUT_DOWN")
    assert created["actions"] == ["SHUT_DOWN"], created
    applied = quarantine("--apply-anc-policy-by-mac", "--anc-policy", policy, *mac)
    assert applied["status"] == "SUCCESS", applied
    assert ask("getEndpointByMacAddress", macAddress=given["compliant"])["compliant"] is False
    assert quarantine("--get-anc-policy-by-mac", *mac)["policyName"] == policy
    assert quarantine("--clear-anc-policy-by-mac", *mac)["status"] == "SUCCESS"
    assert quarantine("--delete-anc-policy", policy) == {}
    print(f"ok quarantine with {name}")

    registered = control.service_register(
        "com.example.util", {"customTopic": "/topic/com.example.util"}
    )
    control.service_reregister(registered["id"])
    found = control.service_lookup("com.example.util")["services"]
    assert [one["nodeName"] for one in found] == [node], found
    control.service_unregister(registered["id"])
    assert control.service_lookup("com.example.util") == {"services": []}
    print(f"ok services with {name}")


check("util-node", ["-w", operator("add", "util-node")], "password")
check(given["node"], ["-c", given["certificate"], "-k", given["key"]], "certificate")

sys.argv = ["check", *options("util-node", "-w", "wrong")]
try:
    PXGridControl(Config()).account_activate()
except HTTPError as error:
    assert error.code == 401, error
else:
    raise AssertionError("a wrong password was taken")
print("ok refusals")
