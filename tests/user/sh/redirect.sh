d=$(mktemp -d); cd $d
echo one > f; echo two >> f; cat f; cat < f > g; cat g
echo err >&2 2>/dev/null | cat
{ echo out; echo err >&2; } > o 2> e; cat o; cat e
{ echo out; echo err >&2; } > both 2>&1; cat both
ls /nonexistent/x 2>/dev/null || echo failed
exec 3> three; echo via3 >&3; exec 3>&-; cat three
exec 4< f; read a <&4; read b <&4; echo $a-$b; exec 4<&-
cat <<E
x=$((1+1)) \$y `echo q` "kept"
E
cat <<'E'
raw $x `no` \n
E
cat <<-E
	tabs gone
		all
	E
cat <<A; cat <<B
first
A
second
B
cat <<E | tr a-z A-Z
piped
E
n=$(cat <<E
in substitution )
E
); echo "$n"
echo x > a; : > a; wc -c < a | tr -d ' '
if true; then echo c1; echo c2; fi > comp; cat comp
while read l; do echo "[$l]"; done < comp > comp2; cat comp2
echo > "sp ace"; ls
f() { cat; }; echo in | f; f < comp
(echo s1; echo s2) > sub; cat sub
(echo no > /nonexistent/dir/x) 2>/dev/null || echo failed
(cat < nope) 2>/dev/null || echo failed
read one < f; echo $one
echo 1 2>&1 >/dev/null | cat; echo 5>five; cat five
echo a >b c; cat b
cd /; rm -r $d
