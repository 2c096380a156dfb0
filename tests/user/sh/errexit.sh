sh=${SH:-sh}
$sh -c 'set -e; false; echo no'; echo $?
$sh -c 'set -e; if false; then :; fi; false || true; ! true; while false; do :; done; echo yes'; echo $?
$sh -c 'set -e; f() { false; echo infunc; }; f || echo no; f; echo no'; echo $?
$sh -c 'set -e; (false); echo no'; echo $?
$sh -c 'set -e; x=$(false); echo no'; echo $?
$sh -c 'set -e; true | false; echo no'; echo $?
$sh -c 'set -e; false | true; echo yes'; echo $?
$sh -c 'set -e; { false && true; }; echo yes'; echo $?
$sh -c 'set -u; echo ${nope-ok}; echo $nope; echo no' 2>/dev/null; test $? -ne 0 && echo failed
$sh -c 'echo ${x:?message}; echo no' 2>/dev/null; test $? -ne 0 && echo failed
$sh -c 'readonly r=1; r=2; echo no' 2>/dev/null; test $? -ne 0 && echo failed
$sh -c 'echo $((1/0)); echo no' 2>/dev/null; test $? -ne 0 && echo failed
$sh -c 'set -x; echo a b; x=1' 2>&1
$sh -c 'exit 9'; echo $?
$sh -c 'nosuchcommand' 2>/dev/null; echo $?
$sh -c '/etc' 2>/dev/null; echo $?
$sh -c 'kill -TERM $$'; echo $?
$sh -c 'echo "$0" $1 $#' name one two
$sh -c 'if' 2>/dev/null; echo $?
$sh -c 'echo a; )' 2>/dev/null; echo $?
echo 'echo from stdin; read x; echo "got $x"
data line' | $sh
$sh -ec 'false; echo no'; echo $?
$sh -c 'false
echo lineno'
