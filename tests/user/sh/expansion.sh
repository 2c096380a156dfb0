unset u; e=; v=value
echo ${u-d} ${u:-d} "[${e-d}]" ${e:-d} ${v-d} ${v:-d}
echo ${u+d} "[${u:+d}]" ${e+d} "[${e:+d}]" ${v+d}
echo ${u=assigned} $u ${#v} ${#u}
f=/usr/lib/foo.tar.gz
echo ${f##*/} ${f#*/} ${f%.*} ${f%%.*} ${f%"gz"} ${f#"/usr"}
p='*'; s='a*b'; echo "${s%"*"b}" "${s#a"$p"}" ${s%$p}
set -- one 'two three' four
echo $# "$1" "$2" "${3}" "$*" $*
for i in "$@"; do echo "<$i>"; done
for i in "pre $@ post"; do echo "<$i>"; done
for i in $*; do printf '%s,' $i; done; echo
for i; do printf '%s;' "$i"; done; echo
IFS=-; echo "$*"; IFS=' '
shift 2; echo "$1" $#
set --; for i in "$@"; do echo never; done; echo "$#${@}"
echo ${v}x $v.x "${v}"y ${u:-$(echo sub "quoted  word")} ${w:-${v:-z}}
echo ~/x | sed "s,^$HOME,HOME,"
a=~; [ "$a" = "$HOME" ] && echo tilde
echo "${nope:-a b}" ${nope:-a   b}
echo $((${#v} + 1))
