/* sources: handles.c */
/* handles_test.c — which descriptors a program that is started next would inherit. */
#define _GNU_SOURCE
#include "handles.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "check.h"

#define FIRST 100
#define COUNT 20

static bool inherited(int fd)
{
    int flags = fcntl(fd, F_GETFD);
    CHECK(flags >= 0);
    return (flags & FD_CLOEXEC) == 0;
}

/* Descriptors that are inherited, far from each other and from the sanitizer's own. */
static void open_all(void)
{
    for (int i = 0; i < COUNT; i++)
        CHECK_EQUAL(dup2(STDIN_FILENO, FIRST + 3 * i), FIRST + 3 * i);
}

static void check_kept(const int32_t *keep, size_t count)
{
    for (int i = 0; i < COUNT; i++) {
        bool kept = false;
        for (size_t k = 0; k < count; k++)
            kept = kept || keep[k] == FIRST + 3 * i;
        CHECK_EQUAL(inherited(FIRST + 3 * i), kept);
    }
    for (int fd = 0; fd <= 2; fd++)
        CHECK(inherited(fd));
}

int main(void)
{
    int32_t keep[] = { FIRST + 9, 1, FIRST, FIRST + 9, 5000, -1, FIRST + 57, FIRST + 3 };
    int32_t many[HANDLES_KEPT_MAX + 1] = { 0 };
    const size_t count = sizeof keep / sizeof keep[0];

    for (int fd = 0; fd <= 2; fd++)
        CHECK_EQUAL(fcntl(fd, F_SETFD, 0), 0);
    open_all();
    CHECK_EQUAL(handles_close_on_exec(keep, count), 0);
    check_kept(keep, count);
    CHECK_EQUAL(handles_close_on_exec(keep, 0), 0);
    check_kept(keep, 0);
    PASSED("what is named is inherited and nothing else");

    open_all();
    CHECK_EQUAL(handles_close_listed(keep, count), 0);
    check_kept(keep, count);
    CHECK_EQUAL(handles_close_listed(keep, 0), 0);
    check_kept(keep, 0);
    PASSED("the same by the list of open descriptors");

    /* One that is kept stays as it is: it is not made inheritable. */
    CHECK_EQUAL(handles_close_on_exec(keep, count), 0);
    check_kept(keep, 0);
    CHECK_EQUAL(handles_close_on_exec(many, HANDLES_KEPT_MAX + 1), -EINVAL);
    PASSED("what is marked stays marked; too long a list is refused");
    return 0;
}
