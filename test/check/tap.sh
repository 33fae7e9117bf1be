# tap.sh: what a check script prints (TAP). Sourced by bash scripts; they end with `finish`.
#
#   check "name" COMMAND...     passes when COMMAND succeeds; its output is shown when it does not
#   empty "name" COMMAND...     passes when COMMAND succeeds and prints nothing: no violation
#   pass "name" / failed "name" "what is wrong"
#   skip "name" "reason"

tap_count=0
tap_failed=0

pass() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1"
}

failed() {
    tap_count=$((tap_count + 1))
    tap_failed=$((tap_failed + 1))
    echo "not ok $tap_count - $1"
    [ -z "${2:-}" ] || printf '%s\n' "$2" | tail -n "${TAP_LINES:-60}" | sed 's/^/#   /'
}

skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1 </dev/null); then
        pass "$name"
    else
        failed "$name" "$output"
    fi
}

empty() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1 </dev/null) && [ -z "$output" ]; then
        pass "$name"
    else
        failed "$name" "${output:-it failed without a word}"
    fi
}

finish() {
    echo "1..$tap_count"
    [ "$tap_failed" -eq 0 ]
}
