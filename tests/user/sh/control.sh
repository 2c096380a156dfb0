if true; then echo 1; fi
if false; then echo no; elif true; then echo 2; else echo no; fi
if false; then echo no; elif false; then echo no; else echo 3; fi
i=0; while [ $i -lt 5 ]; do i=$((i+1)); [ $i = 2 ] && continue; [ $i = 4 ] && break; echo w$i; done
until [ $i = 0 ]; do i=$((i-1)); done; echo u$i
for a in 1 2; do for b in x y z; do [ $b = y ] && continue 2; echo $a$b; done; done
for a in 1 2; do for b in x y; do break 2; done; echo never; done; echo broke
for x in a b c
do
	echo $x
done | tr a-c A-C
for empty in; do echo never; done
case hello in h?llo) echo glob;; esac
case x in a|b) echo no;; x|y) echo alt;; *) echo no;; esac
case "a b" in "a b") echo spaced;; esac
case '*' in '*') echo star;; esac
case abc in [!a]*) echo no;; [a-c]*) echo class;; esac
case none in a) echo no;; esac; echo $?
case x in (x) echo paren;; esac
v=3; case $v in [0-9]) echo digit ;; esac
true && echo and || echo no; false && echo no || echo or
true || echo no && echo chain
! true; echo $?; ! false && echo not
{ echo g1; echo g2; } | cat
(cd /; v=9; echo $v); echo $v
while read l; do echo "r:$l"; done <<E
one
two
E
if ! false | true; then echo no; else echo pipestatus; fi
: && echo colon
a=1 b=2; echo $a$b
while :; do break; done; echo $?
