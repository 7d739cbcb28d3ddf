"""pxgrid-api as a node: an account, questions about endpoints, quarantine."""

import json
import subprocess
import sys

import requests
from pxapi import PXAPI

given = json.loads(sys.argv[1])

# The library knows no other port than 8910.
send = requests.Session.request


def to_the_port(self, method, url, **options):
    return send(self, method, url.replace(":8910/", f":{given['port']}/"), **options)


requests.Session.request = to_the_port


def operator(*arguments):
    command = [given["portreeve"], "pxgrid", *arguments, "--config", given["config"]]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def refused(what, status):
    try:
        answer = what()
    except Exception as error:
        assert f"failed with code {status}" in str(error), error
    else:
        raise AssertionError(f"{answer} instead of {status}")


def check(api, name):
    assert api.account_activate()["accountState"] == "PENDING"
    refused(api.mdm_get_endpoints, 403)
    operator("approve", api.client_name, "--may", "mdm,subscribe,anc")
    assert api.account_activate()["accountState"] == "ENABLED"
    print(f"ok account with {name}")

    compliant, not_compliant = given["compliant"], given["non_compliant"]
    one = api.mdm_get_endpoint_by_mac_address(compliant)
    assert one["macAddress"] == compliant and one["compliant"] is True, one
    one = api.mdm_get_endpoint_by_mac_address(not_compliant)
    assert one["registered"] is True and one["compliant"] is False, one
    assert api.mdm_get_endpoint_by_mac_address(given["unknown"]) == {}

    def listed(answer):
        return {endpoint["macAddress"] for endpoint in answer["endpoints"]}

    assert {compliant, not_compliant} <= listed(api.mdm_get_endpoints())
    failing = listed(api.mdm_get_endpoints_by_type("NON_COMPLIANT"))
    assert not_compliant in failing and compliant not in failing, failing
    assert compliant in listed(api.mdm_get_endpoints_by_type("REGISTERED"))
    windows = listed(api.mdm_get_endpoints_by_os_type("WINDOWS"))
    android = listed(api.mdm_get_endpoints_by_os_type("ANDROID"))
    assert not windows & android
    print(f"ok endpoints with {name}")

    policy = f"lock-{name}"
    assert api.anc_create_policy(policy, "QUARANTINE")["name"] == policy
    refused(lambda: api.anc_create_policy(policy, "QUARANTINE"), 409)
    assert policy in [known["name"] for known in api.anc_get_policies()["policies"]]
    assert api.anc_get_policy_by_name("nothing") == {}
    done = api.anc_apply_endpoint_by_mac_address(policy, compliant)
    assert done["status"] == "SUCCESS", done
    assert api.anc_get_operation_status(done["operationId"]) == done
    assert api.mdm_get_endpoint_by_mac_address(compliant)["compliant"] is False
    again = api.anc_apply_endpoint_policy(policy, compliant, "192.0.2.1")
    assert again["status"] == "FAILURE", again
    assert again["failureReason"] == "mac address is already associated with this policy"
    by_ip = api.anc_apply_endpoint_by_ip_address(policy, "192.0.2.1")
    assert by_ip["status"] == "FAILURE", by_ip
    assert api.anc_get_endpoint_by_mac_address(compliant)["policyName"] == policy
    assert [one["macAddress"] for one in api.anc_get_endpoints()["endpoints"]] == [compliant]
    assert api.anc_clear_endpoint_by_mac_address(compliant)["status"] == "SUCCESS"
    assert api.mdm_get_endpoint_by_mac_address(compliant)["compliant"] is True
    api.anc_delete_policy_by_name(policy)
    print(f"ok quarantine with {name}")


anonymous = PXAPI("localhost", "Api-Node", root_ca_file=given["ca"])
made = anonymous.account_create()
with_password = PXAPI(
    "localhost", made["nodeName"], root_ca_file=given["ca"], password=made["password"]
)
check(with_password, "password")
with_certificate = PXAPI(
    "localhost", given["node"], given["certificate"], given["key"], given["ca"]
)
check(with_certificate, "certificate")

wrong = PXAPI("localhost", made["nodeName"], root_ca_file=given["ca"], password="wrong")
refused(wrong.account_activate, 401)
operator("disable", made["nodeName"])
refused(with_password.mdm_get_endpoints, 403)
print("ok refusals")
