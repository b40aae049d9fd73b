sed '2a\
[ $# -gt 0 ] || { echo "name somebody" >&2; exit 1; }
' greet.sh > greet.new && mv greet.new greet.sh
