#!/usr/bin/env bash
# build.sh: builds the image where docker runs; elsewhere checks the syntax of the files and says so.
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    docker build -f docker/Dockerfile -t bitvelocity .
    echo "docker: built the image bitvelocity; docker/compose.yml says how to start it"
else
    python3 test/check/compose.py
    python3 test/check/dockerfile.py
    echo "docker: no docker daemon here, so nothing was built: the syntax of Dockerfile and compose file is right"
fi
