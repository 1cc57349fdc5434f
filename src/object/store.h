/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definition and status files of a driver's objects, in upstream's form: NAME.xml with a comment that tells how to edit it,
 * symbolic links for autostart, and the marks of a driver that runs. Every change is durable when the call returns.
 *
 * A file that does not parse is reported with its line and kept; nothing here overwrites it before its object is defined
 * anew. Functions may be called from any thread, for different objects at the same time. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Store Store;

/* @dir holds the files. @autostart_dir: the links; NULL for status files. @edit_command: the word behind "virsh" in the
 * comment ("edit", "net-edit", "snapshot-edit"); NULL: the files have no comment. Makes the folders. */
Store *store_new(const char *dir, const char *autostart_dir, const char *edit_command,
                 GError **err);
void store_free(Store *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_free)

/* The path that an object of this name has. */
char *store_path(const Store *store, const char *name);
/* May @name be a file's name: not empty, no '/', no newline, not too long? */
bool store_check_name(const Store *store, const char *name, GError **err);

/* Write @xml, a whole document without a declaration, behind the comment. @argument is what the comment names: the object's
 * name; NULL for commands without argument. @uuid_text is named instead when the name would need quoting. */
bool store_save(Store *store, const char *name, const char *argument, const char *uuid_text,
                const char *xml, GError **err);
/* Remove the file and the autostart link. What is absent is no error. */
bool store_remove(Store *store, const char *name, GError **err);

bool store_get_autostart(const Store *store, const char *name);
bool store_set_autostart(Store *store, const char *name, bool autostart, GError **err);

/* One file. @stem is its name without ".xml", which need not be the object's name. An error that @func sets is logged with
 * the path. True: the object was taken. */
typedef bool (*StoreLoadFunc)(const char *path, const char *stem, const char *xml, gsize len,
                              bool autostart, void *opaque, GError **err);
/* The names without ".xml" of all files, sorted. g_strfreev. NULL when the folder cannot be read. */
char **store_list(const Store *store, GError **err);
/* Call @func for every *.xml, sorted by name. False only when the folder cannot be read. */
bool store_load(Store *store, StoreLoadFunc func, void *opaque, GError **err);

/* The comment and an empty line. */
char *store_comment(const char *edit_command, const char *argument, const char *uuid_text);

/* A file with our process id whose first byte is locked as long as the descriptor is open; -1 with @err when another
 * process has it. Opening and closing the file once more in this process would give the lock up. Used for DRIVER/driver.pid and the daemon's own. */
int store_lock_pid_file(const char *path, GError **err);

/* DRIVER/autostarted: present when autostart was done since the host booted. */
bool store_is_autostarted(const char *state_dir);
bool store_mark_autostarted(const char *state_dir, GError **err);
