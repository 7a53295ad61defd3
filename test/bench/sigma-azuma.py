"""Matches events with azuma, a Sigma library for Python: {"rules": [yaml], "events": [{field: value}]} comes on stdin."""

import json
import sys
import time

import azuma

given = json.load(sys.stdin)
rules = []
for text in given["rules"]:
    try:
        rules.append(azuma.Rule.model_validate_yaml(text))
    except Exception:  # what it cannot load is counted below
        pass
begin = time.perf_counter()
matches = sum(rule.match(event) for event in given["events"] for rule in rules)
seconds = time.perf_counter() - begin
print(json.dumps({"version": azuma.__version__, "loaded": len(rules), "seconds": seconds, "matches": matches}))
