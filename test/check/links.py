"""Prints relative links of the Markdown files that lead nowhere."""
import glob
import os
import re

for path in [p for d in sorted(os.listdir(".")) if d != "build"
             for p in [d] * d.endswith(".md") + glob.glob(d + "/**/*.md", recursive=True)]:
    text = re.sub(r"```.*?```", "", open(path, encoding="utf-8").read(), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" in target or target.startswith("mailto:"):
            continue
        if not os.path.exists(os.path.join(os.path.dirname(path), target)):
            print(f"{path}: {target}")
