/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line for each thing an administrator could have noticed, the object first: `web1: disk vda: ...`.
 *
 * A category is a short word that filters name (`3:qemu`). Filters and outputs have upstream's syntax:
 * filters `LEVEL:CATEGORY ...`, outputs `LEVEL:stderr`, `LEVEL:file:PATH`, `LEVEL:syslog:NAME`, `LEVEL:journald`. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum { LOG_LEVEL_DEBUG = 1, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR } LogLevel;

#define LOG_CLIENT "client"
#define LOG_IMAGE "image"
#define LOG_INTERFACE "interface"
#define LOG_JOB "job"
#define LOG_LOOP "loop"
#define LOG_MODEL "model"
#define LOG_NETWORK "network"
#define LOG_NODEDEV "nodedev"
#define LOG_NWFILTER "nwfilter"
#define LOG_OBJECT "object"
#define LOG_QEMU "qemu"
#define LOG_RPC "rpc"
#define LOG_SEAM "seam"
#define LOG_SECRET "secret"
#define LOG_SERVER "server"
#define LOG_STORAGE "storage"

#define log_debug(category, ...) log_at(LOG_LEVEL_DEBUG, category, __VA_ARGS__)
#define log_info(category, ...) log_at(LOG_LEVEL_INFO, category, __VA_ARGS__)
#define log_warning(category, ...) log_at(LOG_LEVEL_WARNING, category, __VA_ARGS__)
#define log_error(category, ...) log_at(LOG_LEVEL_ERROR, category, __VA_ARGS__)
/* Cheap when nobody listens: the arguments are evaluated only for lines that go somewhere. */
#define log_at(level, category, ...)                 \
    do {                                             \
        if (log_wants(level, category))              \
            log_write(level, category, __VA_ARGS__); \
    } while (0)

bool log_wants(LogLevel level, const char *category);
void log_write(LogLevel level, const char *category, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* Replace level, filters or outputs as a whole; a bad entry is an error and changes nothing. */
bool log_set_level(int level, GError **err);
bool log_set_filters(const char *filters, GError **err);
bool log_set_outputs(const char *outputs, GError **err);
/* The present settings in the same syntax. Free with g_free. */
char *log_get_filters(void);
char *log_get_outputs(void);
int log_get_level(void);
/* LIBVIRT_DEBUG, LIBVIRT_LOG_FILTERS, LIBVIRT_LOG_OUTPUTS of the environment; bad values are said on stderr. */
void log_set_from_environment(void);
