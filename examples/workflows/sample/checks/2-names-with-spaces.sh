test "$(sh greet.sh "Ada Lovelace" | grep -c "")" -eq 1
