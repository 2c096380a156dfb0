f() { echo "f:$1:$#:$0" | sed 's,:[^:]*$,,'; return 4; }
f a b; echo $?
g() {
	local x=inner
	echo $x; h
}
h() { echo h sees $x; x=changed; }
x=outer; g; echo $x
fact() { if [ $1 -le 1 ]; then echo 1; else echo $(($1 * $(fact $(($1 - 1))))); fi; }
fact 10
r() { for i in 1 2 3; do [ $i = 2 ] && return 7; done; echo never; }
r; echo $?
sub() ( y=in; exit 3 )
y=out; sub; echo $? $y
redir() { echo to stderr >&2; } 2>&1
redir | cat
p() { shift; echo "$*"; }; set -- keep me; p a b c; echo "$*"
f() { echo redefined; }; f; unset -f f; f 2>/dev/null || echo gone $?
z=1; sh_fn() { echo z=$z; }; z=2 sh_fn
k() { return; }; false; k; echo $?
outer() { inner() { echo nested; }; inner; }; outer; inner
