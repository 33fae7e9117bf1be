#!/usr/bin/env bash
# A few rounds of check-faults without a broker, always the same ones.
export SINKS=bronze ROUNDS=${ROUNDS:-12} SEED=${SEED:-1}
exec "$(dirname "$0")/../faults/run.sh"
