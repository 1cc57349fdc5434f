/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading commands from a person (readline, history, completion) or from a pipe. */
#pragma once

#include "tools/virsh/shell.h"

/* Until the end of input or `quit`. On a pipe the first failing command ends it with false. */
bool interactive_run(Shell *shell);
