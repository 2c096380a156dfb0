cd /etc; cd /usr; pwd; cd - >/dev/null; cd /; echo $OLDPWD; cd /usr/lib; cd ..; pwd
export E1=exported; env | grep ^E1; unset E1; env | grep -c ^E1=
A=temp sh -c 'echo $A'; echo "[$A]"
printf '%s-%s\n' a b c d; printf '%d %x %o %c|%5s|%-5s|%05d\n' 10 255 8 xyz ab cd 42; printf '%b\n' 'a\tb'; printf '100%%\n'
echo -n no; echo newline; echo
test -d / && echo dir; test -f / || echo notfile; test -e /nonexistent || echo none
[ a = a ] && [ a != b ] && [ 1 -lt 2 ] && [ 2 -ge 2 ] && echo tests; [ -z "" -a -n x ] && echo and; [ -n "" -o -n x ] && echo or
[ ! -e /nonexistent ] && echo not; [ "(" = "(" ] && echo paren; [ ]; echo $?; test -n; echo $?; [ "" ]; echo $?
eval 'x=5; echo $x'; eval "echo \$x"; eval; echo $?
echo 'echo sourced $1; dot=set; return 3; echo no' > /tmp/dot$$; . /tmp/dot$$; echo $? $dot; rm /tmp/dot$$
read a b c <<E
1 2  3 4 
E
echo "$a|$b|$c"
printf '%s\n' 'a\zb c' | { read x y; echo "$x|$y"; }; printf '%s\n' 'a\zb c' | { read -r x y; printf '%s|%s\n' "$x" "$y"; }
echo a:b:c | { IFS=: read x y; echo "$x|$y"; }; read z < /dev/null; echo $?
umask 027; umask; umask 022
set -- a b c; shift; echo $*; shift 2; echo $#
type cd >/dev/null && echo typed; command -v nosuchthing || echo unknown; command -v cd
: ignored; true; echo $?; false; echo $?
set -- -n; echo "$1"; exec 5>&1; echo five >&5
(exec echo replaced; echo no)
unset x; echo ${x-unset}; readonly ro=1; echo $ro; (unset ro) 2>/dev/null || echo kept
x=$(exit 3); echo $?; x=1 y=$x; echo $y; echo `echo \`echo deep\``
echo "a
b" | while read l; do echo "<$l>"; done
hash=1; echo a#b $#; [ "$$" -gt 0 ] && echo pid
