/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the commands that wait for events have in common: one line an event, an end after the first one, the timeout or Ctrl-C. */
#pragma once

#include "tools/virsh/shell.h"

typedef struct {
    Shell *shell;
    bool timestamp;
    bool loop;
    bool done;
    int count;
} Watch;

Watch watch_of(Shell *shell, const Args *args);
/* "event 'NAME' for WHAT OBJECT: TEXT"; @key is what JSON calls the object. */
void watch_report(Watch *watch, const char *event, const char *what, const char *key,
                  const char *object, const char *text);
/* Wait, and say how many there were; false when none came. */
bool watch_run(Watch *watch, const Args *args);

#define WATCH_OPTIONS                                                                    \
    FLAG("loop", "go on after the first event, until Ctrl-C or the timeout"),            \
        NUMBER("timeout", "seconds to wait"), FLAG("list", "print the kinds of events"), \
        FLAG("timestamp", "say when")
