/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A view is what a reader sees of an object: immutable once published, counted, replaced as a whole.
 *
 * A driver's view starts with a View: struct GuestView { View view; GuestState state; ... }. It may carry things made on
 * first use, such as formatted XML, if it makes them under a lock or atomically. See object/registry.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct View View;
struct View {
    gatomicrefcount refs;
    void (*free)(View *view); /* releases the whole structure but what view_init made */
    guchar uuid[16];
    char *name;
    int id; /* -1: not running */
};

/* Prepare the head of a view: one reference, a copy of @name. */
void view_init(View *view, void (*free_func)(View *view), const guchar uuid[16], const char *name,
               int id);
/* These two take any structure that starts with a View. */
void *view_ref(void *view);
void view_unref(void *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(View, view_unref)
