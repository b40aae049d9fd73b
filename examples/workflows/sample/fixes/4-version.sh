sed "s/version .*/version $(cat VERSION)/" README.txt > README.new && mv README.new README.txt
