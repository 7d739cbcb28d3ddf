"""What a script is given; and pxgrid-api at another port than 8910, which it has in its code."""

import json
import sys

import requests

given = json.loads(sys.argv[1])
send = requests.Session.request


def to_the_port(self, method, url, **options):
    return send(self, method, url.replace(":8910/", f":{given['port']}/"), **options)


requests.Session.request = to_the_port
