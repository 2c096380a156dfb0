sh=${SH:-sh}
d=$(mktemp -d); cd $d
printf '#!/bin/sh\necho script $# "$1"\nexit 6\n' > s; chmod +x s; ./s 'a b' c; echo $?
echo 'echo no magic $1' > t; chmod +x t; ./t arg
$sh s x; $sh ./nope 2>/dev/null || echo failed
PATH=$d:$PATH; s found; echo $?
cat > u <<'E'
while read line; do
	case $line in
	\#*) continue ;;
	*=*) k=${line%%=*} v=${line#*=}; echo "$k -> $v" ;;
	'') ;;
	*) echo "bad: $line" ;;
	esac
done
E
$sh u <<'E'
# comment
a=1

b=x=y
junk
E
echo 'f() {
	echo multi \
		line
}
f; echo "quoted
newline"' | $sh
big=$(seq 1 20000); echo ${#big}
echo "$big" | tail -n 1
cat <<E | wc -l | tr -d ' '
$big
E
i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo $i
cd /; rm -r $d
