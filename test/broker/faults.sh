#!/usr/bin/env bash
# A few rounds of check-faults, always the same ones: every kind of fault that needs no second start of the broker.
export ROUNDS=${ROUNDS:-10} SEED=${SEED:-1}
export FAULTS=${FAULTS:-failpoint,kill,terminate,postmaster,restart,pause,broker_hangs,too_large,denied}
exec "$(dirname "$0")/../faults/run.sh"
