/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must be true of a guest's snapshots and images whenever no job runs: every chain opens,
 * definitions, metadata and files agree, no file is left over, no journal is. The check behind
 * `virsh snapshot-verify` and behind the tests that kill the daemon; it changes nothing. */
#pragma once

#include <glib.h>

#include "driver/qemu/guest.h"

typedef enum {
    VERIFY_JOURNAL, /* a job that has not ended */
    VERIFY_METADATA, /* a file of a definition or snapshot that cannot be read, or says something else */
    VERIFY_TREE,     /* a parent that does not exist, a circle */
    VERIFY_CHAIN,    /* an image that cannot be opened, or is backed by another one than recorded */
    VERIFY_SHARED,   /* a guest writes to what a snapshot or another guest keeps */
    VERIFY_RECORD,   /* a file that we made is gone, or was replaced */
    VERIFY_STRAY,    /* a file that we made and nobody needs */
    VERIFY_DELETING, /* a snapshot whose deletion has not ended */
    VERIFY_N_RULES,
} VerifyRule;

typedef struct {
    VerifyRule rule;
    char *object;  /* "snapshot s1", "domain web1: disk vda" */
    char *path;    /* the file it is about; NULL: none */
    char *problem; /* what was found and what was expected */
    char *advice;  /* what can be done */
} VerifyFinding;

void verify_finding_free(VerifyFinding *finding);
/* "chain", "stray", ... */
const char *verify_rule_to_string(VerifyRule rule);
/* All that is wrong, worst first; empty when all is well. Reads @view and files only: any thread
 * that may wait for disks. */
GPtrArray *snapshot_verify(const GuestView *view);
