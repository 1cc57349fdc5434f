/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shell's own view of arguments; commands need only shell.h. */
#pragma once

#include "tools/virsh/shell.h"

/* Parse @words for @command; NULL with the reason in @why. */
Args *args_parse(const Command *command, char **words, gsize n, char **why);
void args_free(Args *args);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Args, args_free)
