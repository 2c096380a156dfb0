d=$(mktemp -d); cd $d
touch a.c b.c ab.h .hid 'sp ace' 'x[1]' z1 z2 zz
mkdir -p sub/deep other; touch sub/s.c sub/deep/t.c other/s.c
echo *.c; echo ?.c; echo [ab].c; echo [!a]*.c; echo z[0-9]; echo .h*
echo *; echo */*.c; echo */; echo sub/*/*
echo no*match "*.c" '*' \*.c; x='*.c'; echo $x "$x"
echo x\[1\] "x["*; for f in *' '*; do echo "<$f>"; done
echo $PWD/*.h | sed "s,$d,D,"; set -f; echo *.c; set +f
case a.c in *.c) echo c;; esac; echo [z]*; echo */../a.c
cd /; rm -r $d
