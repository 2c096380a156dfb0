sh=${SH:-sh}
$sh -c 'trap "echo bye" EXIT; echo hi'
$sh -c 'trap "echo bye \$?" 0; exit 5'; echo $?
$sh -c 'trap "echo usr" USR1; kill -USR1 $$; echo after'
$sh -c 'trap "" TERM; kill -TERM $$; echo survived'
$sh -c 'trap "echo t" TERM; trap - TERM; kill -TERM $$; echo no'; echo $?
$sh -c 'trap "echo x" EXIT; (echo sub); echo main'
$sh -c 'trap "echo e" EXIT; trap - EXIT; echo none'
$sh -c 'trap "echo int; exit 3" INT; kill -INT $$; sleep 1; echo no'; echo $?
