sed 's/in \$@;/in "$@";/' greet.sh > greet.new && mv greet.new greet.sh
