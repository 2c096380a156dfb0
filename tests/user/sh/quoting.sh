x='a  b'
echo $x "$x" '$x' \$x "\$x"; printf '%s\n' "a\\b" 'a\b' "\a\$\"\z"
echo "`echo back "quo ted"`" "$(echo "in  ner")"
echo a'b'"c"d ''"" e
printf '<%s>' "" '' "a b" c; echo
echo "line \
continued"
echo "it's" 'say "hi"' "a'b"
echo a\
b
y=; echo "[$y]" [$y]
echo \*  "*" '*'
echo "tab	inside" a#b # comment
