/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which system calls change something, and what each is called in a point's name. For tracer.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { TEXT = 1024 }; /* room for a name */

typedef enum {
    OPEN, /* only with O_CREAT or O_TRUNC */
    PATH, /* changes the file that is named */
    TWO_PATHS,
    FILE_FD,
    WRITE, /* to a file, socket or pipe */
    SEND,  /* a msghdr */
    FORK,
    SIGNAL,
    EXEC,
    BIND
} Shape;

typedef struct {
    long number;
    const char *name;
    Shape shape;
    int at;      /* argument that has the path, descriptor or flags */
    bool has_at; /* the argument before each path is a folder's descriptor */
} Call;

const Call *call_find(uint64_t number);
/* What the call that @tid is about to make works on, into @text; false when it changes nothing. The same from run to run. */
bool call_name_object(pid_t tid, const Call *call, const uint64_t *args, char *text);
/* The beginning of paths that differs from run to run; paths that do not count. */
void calls_set_root(const char *root);
void calls_exclude(const char *prefix);
/* Where the link /proc/TID/WHAT leads. */
void proc_read_link(pid_t tid, const char *what, char *text);
