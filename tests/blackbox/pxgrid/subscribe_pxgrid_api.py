"""pxgrid-api as a subscriber: prints each message of a topic as one line of JSON."""

import json

from port import given
from pxapi import PXAPI


def show(frame):
    assert frame.command != "ERROR", frame.data
    if frame.command == "MESSAGE":
        assert frame.headers["content-length"] == str(len(frame.data)), frame.headers
        print(json.dumps(json.loads(frame.data)), flush=True)


api = PXAPI("localhost", given["name"], root_ca_file=given["ca"], password=given["password"])
assert api.account_activate()["accountState"] == "ENABLED"
api.topic_subscribe(given["service"], given["topic"], show)
