#!/bin/sh
# Greets everybody who is named. Its mistakes are there to be fixed.
for name in $@; do
    echo "Helo, $name!"
done
