sleep 0.1 & p=$!
wait $p; echo $?
(exit 3) & wait $!; echo $?
sh -c 'exit 4' & a=$!; sh -c 'exit 5' & b=$!
wait $b; echo $?; wait $a; echo $?
{ echo bg; } & wait
true & wait; echo all $?
while :; do :; done & kill $!; wait $! 2>/dev/null; echo $?
x=$(echo a & wait; echo b); echo $x
echo one | cat | cat & wait
kill -0 $$ && echo alive
wait 99999 2>/dev/null; echo $?
yes | head -n 1
