grep -F "version $(cat VERSION)" README.txt
