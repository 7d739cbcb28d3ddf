"""pxgrid-api as a provider: registers its service and publishes one asset."""

from port import given
from pxapi import PXAPI

api = PXAPI("localhost", given["name"], root_ca_file=given["ca"], password=given["password"])
assert api.account_activate()["accountState"] == "ENABLED"
api.context_in({"opType": "CREATE", "asset": {"assetId": "1", "assetName": given["asset"]}})
