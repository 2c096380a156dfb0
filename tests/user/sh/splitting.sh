n() { echo $#; }
a=' x  y '; n $a; n "$a"; n $a$a; n "$a"$a
IFS=:; b='1:2::3:'; n $b; for i in $b; do echo "[$i]"; done
c=' 1 : 2 '; n $c; for i in $c; do echo "[$i]"; done
IFS=' :'; for i in $c; do echo "[$i]"; done
IFS=; n $a; unset IFS; n $a
d=; n $d; n "$d"; n $d""; n ""$d""
n $(echo a b; echo c)
