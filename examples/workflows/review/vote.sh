#!/bin/sh
# One of three votes on the file $1: it succeeds for the file, and fails against it.
case $WORKFLOW_IDEMPOTENCY_KEY in
*'[0]/run') question="is there anything in it" answer=$(test -s "$1" && echo yes || echo no) ;;
*'[1]/run') question="is it text" answer=$(LC_ALL=C grep -q '[[:cntrl:]]' "$1" && echo no || echo yes) ;;
*) question="is it perfect" answer=no ;;
esac
echo "$question? $answer"
test "$answer" = yes
