"""Reads the simulated Graph with msgraph-sdk, Microsoft's client generated from Graph's own model."""

import asyncio
import json
import pathlib
import ssl
import sys

import httpx
from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphServiceClient
from msgraph.generated.device_management.managed_devices.managed_devices_request_builder import (
    ManagedDevicesRequestBuilder,
)
from msgraph.generated.models.compliance_state import ComplianceState
from msgraph.generated.models.managed_device import ManagedDevice
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph_core import GraphClientFactory
from msgraph_core.tasks.page_iterator import PageIterator

FIELDS = [
    "id",
    "azureADDeviceId",
    "complianceState",
    "deviceName",
    "ethernetMacAddress",
    "isEncrypted",
    "lastSyncDateTime",
    "managementState",
    "operatingSystem",
    "osVersion",
    "serialNumber",
    "wiFiMacAddress",
]


class Token(AccessTokenProvider):
    """A token of the simulated Entra."""

    def __init__(self, tenant, trust):
        self.tenant, self.trust = tenant, trust
        self.token = None

    async def get_authorization_token(self, uri, additional_authentication_context=None):
        if self.token is None:
            form = {
                "grant_type": "client_credentials",
                "client_id": self.tenant["client_id"],
                "client_secret": self.tenant["client_secret"],
                "scope": "https://graph.microsoft.com/.default",
            }
            async with httpx.AsyncClient(verify=self.trust, trust_env=False) as client:
                answer = await client.post(self.tenant["token_url_v2"], data=form)
            self.token = answer.raise_for_status().json()["access_token"]
        return self.token

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([])


def expect(condition, message):
    if not condition:
        sys.exit(f"wrong: {message}")


def wanted(fields=None, top=None, condition=None):
    parameters = ManagedDevicesRequestBuilder.ManagedDevicesRequestBuilderGetQueryParameters(
        select=fields, top=top, filter=condition
    )
    return RequestConfiguration(query_parameters=parameters)


async def control(tenant, method, path, body=None):
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.request(method, tenant["control_url"] + path, json=body)
    answer.raise_for_status()
    return answer.json() if answer.content else None


async def requests(tenant, step):
    return (await control(tenant, "GET", "/"))["requests"][step]


async def main(directory):
    tenant = json.loads((directory / "tenant.json").read_text())
    trust = ssl.create_default_context(cafile=tenant["ca"])
    provider = BaseBearerTokenAuthenticationProvider(Token(tenant, trust))
    http = GraphClientFactory.create_with_default_middleware(
        client=httpx.AsyncClient(verify=trust, trust_env=False)
    )
    adapter = GraphRequestAdapter(provider, client=http)
    adapter.base_url = f"{tenant['graph_url']}/v1.0"
    devices = GraphServiceClient(request_adapter=adapter).device_management.managed_devices

    # The list, page by page, in Microsoft's typed model.
    first = await devices.get(request_configuration=wanted(FIELDS, top=7))
    expect(len(first.value) == 7, f"{len(first.value)} devices on the first page")
    expect(first.odata_next_link, "there is no next page")
    read = []
    await PageIterator(first, adapter).iterate(lambda device: read.append(device) or True)
    state = await control(tenant, "GET", "/")
    expect(len(read) == state["devices"], f"{len(read)} of {state['devices']} devices")
    expect(len({device.id for device in read}) == len(read), "a device came twice")
    for device in read:
        expect(isinstance(device, ManagedDevice), f"{device!r} is no ManagedDevice")
        expect(isinstance(device.compliance_state, ComplianceState), device.compliance_state)
        expect(device.additional_data == {}, f"unknown to Graph's model: {device.additional_data}")
        expect(device.last_sync_date_time is not None, f"no date in {device.id}")
    print("ok msgraph-sdk reads all pages")

    # One device, all of it, and one that there is not.
    known = {device["name"]: device for device in tenant["devices"]}["non-compliant"]
    one = await devices.by_managed_device_id(known["guid"]).get()
    expect(one.compliance_state == ComplianceState.Noncompliant, one.compliance_state)
    try:
        await devices.by_managed_device_id("00000000-0000-4000-8000-000000000000").get()
        sys.exit("wrong: a device that there is not was found")
    except ODataError as error:
        expect(error.response_status_code == 404, error.response_status_code)
        expect(error.error.code == "ResourceNotFound", error.error.code)
    print("ok msgraph-sdk reads one device")

    # A serial number chooses; the SDK writes the filter in its own way.
    serial = one.serial_number
    chosen = await devices.get(request_configuration=wanted(FIELDS, condition=f"serialNumber eq '{serial}'"))
    expect([device.id for device in chosen.value] == [one.id], chosen.value)
    print("ok msgraph-sdk filters")

    # It waits as long as it is told, and asks again.
    fault = {"kind": "too-many-requests", "retry_after": {"seconds": 1.0}}
    before = await requests(tenant, "device-list")
    await control(tenant, "PUT", "/faults", {"step": "device-list", "fault": fault, "times": 1})
    page = await devices.get(request_configuration=wanted(["id"], top=1))
    expect(len(page.value) == 1, page.value)
    after = await requests(tenant, "device-list")
    expect(after == before + 2, f"{after - before} requests instead of two")
    print("ok msgraph-sdk waits when it is asked to")


asyncio.run(main(pathlib.Path(sys.argv[1])))
