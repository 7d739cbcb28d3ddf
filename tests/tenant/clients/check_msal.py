"""Asks the simulated tenant with msal, Microsoft's library for Python."""

import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

import msal
import requests

SERVICE = "0000000a-0000-0000-c000-000000000000"
GRAPH = "https://graph.microsoft.com/.default"
# Two slashes: the identifier of the resource ends with one.
INTUNE = "https://api.manage.microsoft.com//.default"


def main(directory):
    tenant = json.loads((directory / "tenant.json").read_text())
    certificate = tenant["certificate"]
    key = pathlib.Path(certificate["key"]).read_text()
    public = pathlib.Path(certificate["certificate"]).read_text()
    credentials = {
        "secret": tenant["client_secret"],
        "certificate": {"private_key": key, "public_certificate": public},
        "thumbprint": {"private_key": key, "thumbprint": certificate["sha1"]},
        "PFX file": {
            "private_key_pfx_path": certificate["pfx"],
            "passphrase": certificate["pfx_password"],
        },
    }
    for name, credential in credentials.items():
        application = client(tenant, credential)
        graph = granted(application.acquire_token_for_client([GRAPH]))
        intune = granted(application.acquire_token_for_client([INTUNE]))
        service = discover(tenant, graph)
        expect(service == tenant["compliance_url"], f"discovery gave {service}")
        look_up(tenant, service, intune)
        # The second time it must come from the library's cache.
        again = application.acquire_token_for_client([INTUNE])
        expect(again["token_source"] == "cache", f"asked again: {again}")
        print(f"ok msal with {name}")

    refused(client(tenant, "wrong"), INTUNE, "invalid_client", 7000215)
    refused(
        client(tenant, tenant["client_secret"]), "https://example.com/.default", "invalid_resource", 500011
    )
    stranger = dict(credentials["certificate"], private_key=other_key())
    refused(client(tenant, stranger), INTUNE, "invalid_client", 700027)
    print("ok msal reports refusals")


def client(tenant, credential):
    return msal.ConfidentialClientApplication(
        tenant["client_id"],
        authority=tenant["authority"],
        client_credential=credential,
        http_client=session(tenant),
        # It would ask Microsoft whether it knows this authority.
        instance_discovery=False,
    )


def session(tenant):
    """Trusts the tenant and nothing of the environment: no proxy, no other certificates."""
    session = requests.Session()
    session.trust_env = False
    session.verify = tenant["ca"]
    return session


def granted(answer):
    expect("access_token" in answer, f"no token: {answer}")
    return answer["access_token"]


def refused(application, scope, error, code):
    answer = application.acquire_token_for_client([scope])
    expect(answer.get("error") == error, f"instead of {error}: {answer}")
    expect(answer["error_codes"] == [code], f"instead of {code}: {answer}")
    expect(answer["error_description"].startswith(f"AADSTS{code}: "), answer["error_description"])
    expect(answer["correlation_id"], "no correlation id")


def other_key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def get(tenant, url, token, **parameters):
    answer = session(tenant).get(
        url, params=parameters, headers={"Authorization": f"Bearer {token}"}, timeout=10
    )
    expect(answer.status_code == 200, f"{url}: {answer.status_code} {answer.text}")
    return answer


def discover(tenant, token):
    url = f"{tenant['graph_url']}/v1.0/servicePrincipals/appId={SERVICE}/endpoints"
    for entry in get(tenant, url, token).json()["value"]:
        if entry["providerName"] == "ComplianceRetrievalService":
            return entry["uri"]
    raise SystemExit("discovery does not name the compliance service")


def look_up(tenant, service, token):
    expected = {"compliant": ("true", "true"), "non-compliant": ("true", "false"), "unknown": ("false", None)}
    for device in tenant["devices"]:
        if device["name"] not in expected:
            continue
        for criterion, value in (("guid", device["guid"]), ("macaddress", device["mac"])):
            answer = get(
                tenant,
                f"{service}/cisco/devices/",
                token,
                paging=0,
                querycriteria=criterion,
                value=value,
                filter="all",
            )
            root = ElementTree.fromstring(answer.content)
            found = (root.findtext(".//{*}register_status"), root.findtext(".//{*}status"))
            expect(found == expected[device["name"]], f"{device['name']} by {criterion}: {found}")


def expect(condition, message):
    if not condition:
        raise SystemExit(f"failed: {message}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
