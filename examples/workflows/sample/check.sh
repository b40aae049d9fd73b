#!/bin/sh
# Runs all checks, and prints which is the first to fail.
passed=0
failing=
for check in checks/*.sh; do
    if sh "$check" >&2; then
        passed=$((passed + 1))
    elif [ -z "$failing" ]; then
        failing=$(basename "$check" .sh)
    fi
done
if [ -z "$failing" ]; then
    printf '{"done": true, "passed": %d}\n' "$passed"
else
    printf '{"done": false, "passed": %d, "failing": "%s"}\n' "$passed" "$failing"
fi
