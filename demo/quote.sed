# Each line of a file as a C string.
s/[\\"]/\\&/g
s/.*/"&\\n"/
