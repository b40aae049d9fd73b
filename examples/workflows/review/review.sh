#!/bin/sh
# One of three reviewers of the file $1. Which one it is, it knows from the key of its call, which
# ends in `review[0]/run`, `review[1]/run` or `review[2]/run`.
case $WORKFLOW_IDEMPOTENCY_KEY in
*'[0]/run') topic=length remark="$(grep -c '.\{81\}' "$1") lines are longer than 80 characters" ;;
*'[1]/run') topic=comments remark="$(grep -c '^ *#' "$1") lines are comments" ;;
*) topic=blanks remark="$(grep -c '[[:blank:]]$' "$1") lines end in blanks" ;;
esac
echo "read $1 for its $topic" >&2
printf '{"topic": "%s", "remark": "%s"}\n' "$topic" "$remark"
