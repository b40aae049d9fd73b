! sh greet.sh
