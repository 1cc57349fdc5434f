/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bare minimum of a process: bench/run compares `virsh list` to it. */
#include <stdio.h>

int
main(void)
{
    puts("hello");
    return 0;
}
