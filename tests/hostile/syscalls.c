/* Says of each system call by number whether the filter in force refuses it, without ever making the call.
 *
 * A filter of its own, laid on top, answers that call with SECCOMP_RET_TRACE: nobody traces, so the kernel does not
 * carry it out, and says ENOSYS. Of two filters the stricter answer counts (seccomp(2)): the plan's EPERM is seen where
 * the plan's filter has it, and ENOSYS where it would have let the call through. EPERM of the kernel's own, for want of
 * a capability, cannot be mistaken for it.
 *
 * Prints NUMBER=ERRNO for each number below its argument. Numbers it is asked for by name are in `names.h`, made of the
 * profile: those this machine's headers do not know are printed as NAME=unknown, the others as NAME=NUMBER.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int answer(unsigned number) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof steps / sizeof *steps, steps};
    pid_t child = fork();
    if (child == 0) {
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) _exit(255);
        _exit(syscall(number, 0, 0, 0, 0, 0, 0) == -1 ? errno : 254);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int count, char **arguments) {
#include "names.h"
    for (int number = 0; number < atoi(arguments[count - 1]); number++) {
        /* Without these a child cannot tell what it saw. */
        if (number == SYS_exit_group) continue;
        printf("%d=%d ", number, answer(number));
    }
    /* Not by the filter above: ENOSYS is the profile's own answer here. The kernel's would be EINVAL. */
    long made = syscall(SYS_clone3, 0, 0);
    printf("clone3=%d", made == -1 ? errno : 0);
    return 0;
}
