/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Networks, pools, secrets, devices ... are all looked up, dumped, defined, edited and acted upon alike: an ObjectKind says how
 * one kind is called, and the commands here take it from their row's detail. */
#pragma once

#include "tools/virsh/shell.h"

typedef struct {
    const char *what;   /* "network", in messages */
    const char *option; /* the option that names one */
    /* By name or UUID; NULL after saying why. */
    void *(*find)(Shell *shell, const char *name);
    const char *(*name)(void *object);
    int (*release)(void *object);
    char *(*get_xml)(void *object, unsigned int flags);
} ObjectKind;

/* The one that the kind's option names; release it with kind->release. */
void *args_object(Shell *shell, const Args *args, const ObjectKind *kind);

/* An act on one of them. @done has a %s for its name. */
typedef struct {
    const ObjectKind *kind;
    int (*call)(void *object);
    const char *done, *failed;
} ObjectVerb;
bool cmd_object_verb(Shell *shell, const Args *args);

/* --disable, or not. */
typedef struct {
    const ObjectKind *kind;
    int (*set)(void *object, int on);
} ObjectAutostart;
bool cmd_object_autostart(Shell *shell, const Args *args);

/* XML, with --xpath and --wrap, and --inactive where a kind has it. */
typedef struct {
    const ObjectKind *kind;
    unsigned int inactive_flag;
} ObjectDump;
bool cmd_object_dumpxml(Shell *shell, const Args *args);

/* XML from a file. @done has %s for name and file, @failed for the file. */
typedef struct {
    const ObjectKind *kind;
    void *(*define)(virConnectPtr conn, const char *xml, unsigned int flags);
    const FlagBit *bits;
    gsize n_bits;
    const char *done, *failed;
} ObjectDefine;
bool cmd_object_define(Shell *shell, const Args *args);

/* The definition in an editor. */
typedef struct {
    const ObjectKind *kind;
    unsigned int get_flags;
    void *(*define)(virConnectPtr conn, const char *xml, unsigned int flags);
    const char *title; /* "Network %s XML configuration" */
} ObjectEdit;
bool cmd_object_edit(Shell *shell, const Args *args);

/* A name or UUID: into @text, of at least VIR_UUID_STRING_BUFLEN bytes, or as a result. */
typedef struct {
    const ObjectKind *kind;
    const char *key;
    int (*to_buffer)(void *object, char *text);
    const char *(*get)(void *object);
} ObjectText;
bool cmd_object_text(Shell *shell, const Args *args);

/* The API's functions take the object's own type. */
#define OBJECT_CALL(function) ((int (*)(void *))(function))
#define OBJECT_SET(function) ((int (*)(void *, int))(function))
#define OBJECT_BUFFER(function) ((int (*)(void *, char *))(function))
#define OBJECT_NAME(function) ((const char *(*)(void *))(function))
#define OBJECT_XML(function) ((char *(*)(void *, unsigned int))(function))
#define OBJECT_DEFINE(function) ((void *(*)(virConnectPtr, const char *, unsigned int))(function))

extern const ObjectKind network_kind, pool_kind, secret_kind, nodedev_kind, interface_kind,
    nwfilter_kind, binding_kind;

/* A forest, drawn: each name with that of its parent (NULL, or one that is not among them: a root). */
typedef struct {
    const char *name, *parent;
} TreeNode;
void tree_print(Shell *shell, const TreeNode *nodes, gsize n);
