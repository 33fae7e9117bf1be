"""Parses the YAML files given; a compose file's services must name an image or a build."""
import sys

import yaml

paths = sys.argv[1:]
if not any("compose" in p for p in paths):
    sys.exit("no compose file found")
for path in paths:
    document = yaml.safe_load(open(path, encoding="utf-8"))
    if "compose" not in path:
        continue
    for name, service in document["services"].items():
        if not ("image" in service or "build" in service):
            sys.exit(f"{path}: service {name} has neither image nor build")
        for needed in service.get("depends_on", {}):
            if needed not in document["services"]:
                sys.exit(f"{path}: service {name} depends on {needed}, which is not there")
