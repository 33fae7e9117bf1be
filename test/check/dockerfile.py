"""Reads docker/Dockerfile: known instructions, a FROM first, and sources of COPY that exist."""
import glob
import re
import sys

known = set(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN SHELL STOPSIGNAL USER VOLUME WORKDIR".split()
)
text = open("docker/Dockerfile", encoding="utf-8").read()
text = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
text = re.sub(r"\\\n", " ", text)
lines = [line.strip() for line in text.splitlines() if line.strip()]
words = [line.split()[0].upper() for line in lines]
problems = [f"unknown instruction {word}" for word in words if word not in known]
if not words or words[0] not in ("FROM", "ARG"):
    problems.append("the first instruction is not FROM")
for line in lines:
    parts = line.split()
    if parts[0].upper() != "COPY" or any(part.startswith("--from") for part in parts):
        continue
    for source in [part for part in parts[1:] if not part.startswith("--")][:-1]:
        if not glob.glob(source):
            problems.append(f"COPY {source}: not in the repository")
sys.exit("\n".join(problems) or 0)
