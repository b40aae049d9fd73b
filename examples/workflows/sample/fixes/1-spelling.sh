sed 's/Helo/Hello/' greet.sh > greet.new && mv greet.new greet.sh
