/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs on one disk: commit, pull, copy, and looking after them. Waiting is done by the block job event; the timer only shows the
 * progress. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/virsh/groups.h"
#include "tools/virsh/job.h"
#include "tools/virsh/output.h"
#include "tools/virsh/xml.h"

#define PROGRESS_MS 500

typedef struct {
    virDomainPtr domain;
    const char *path;
    const char *label;
    bool done;
    bool timed_out;
    bool verbose;
    int status; /* virConnectDomainEventBlockJobStatus; -1: nothing heard yet */
} BlockWait;

static void
on_block_job(virConnectPtr conn, virDomainPtr domain, const char *disk, int type, int status,
             void *opaque)
{
    BlockWait *wait = opaque;

    if (!g_str_equal(disk, wait->path))
        return;
    wait->status = status;
    wait->done = true;
}

static void
on_progress(int timer, void *opaque)
{
    BlockWait *wait = opaque;
    virDomainBlockJobInfo info;

    if (virDomainGetBlockJobInfo(wait->domain, wait->path, &info, 0) > 0)
        job_print_progress(wait->label, info.end - info.cur, info.end);
    shell_forget_error();
}

static void
on_timeout(int timer, void *opaque)
{
    BlockWait *wait = opaque;

    wait->timed_out = wait->done = true;
}

typedef struct {
    int events[2];
    int progress, timeout;
} BlockWatch;

/* Before the job starts, so that its end cannot be missed. */
static BlockWatch
watch_begin(Shell *shell, BlockWait *wait, int seconds)
{
    virConnectPtr conn = shell_connection(shell);
    virConnectDomainEventGenericCallback callback = VIR_DOMAIN_EVENT_CALLBACK(on_block_job);
    BlockWatch watch = {.progress = -1, .timeout = -1};

    watch.events[0] = virConnectDomainEventRegisterAny(
        conn, wait->domain, VIR_DOMAIN_EVENT_ID_BLOCK_JOB, callback, wait, NULL);
    watch.events[1] = virConnectDomainEventRegisterAny(
        conn, wait->domain, VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, callback, wait, NULL);
    if (wait->verbose)
        watch.progress = virEventAddTimeout(PROGRESS_MS, on_progress, wait, NULL);
    if (seconds > 0)
        watch.timeout = virEventAddTimeout(seconds * 1000, on_timeout, wait, NULL);
    shell_forget_error();
    return watch;
}

static void
watch_end(Shell *shell, BlockWatch *watch)
{
    for (gsize i = 0; i < G_N_ELEMENTS(watch->events); i++) {
        if (watch->events[i] >= 0)
            virConnectDomainEventDeregisterAny(shell_connection(shell), watch->events[i]);
    }
    if (watch->progress >= 0)
        virEventRemoveTimeout(watch->progress);
    if (watch->timeout >= 0)
        virEventRemoveTimeout(watch->timeout);
}

static bool
wait_for_end(Shell *shell, const Args *args, BlockWait *wait)
{
    unsigned int flags = args_has(args, "async") ? VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC : 0;
    virDomainBlockJobInfo info;

    if (!shell_run_loop(shell, &wait->done))
        return shell_fail(shell, "the connection was lost");
    if (!wait->done || wait->timed_out) {
        virDomainBlockJobAbort(wait->domain, wait->path, flags);
        return shell_fail(shell, "%s aborted", wait->label);
    }
    if (wait->verbose) {
        if (wait->status == VIR_DOMAIN_BLOCK_JOB_COMPLETED ||
            wait->status == VIR_DOMAIN_BLOCK_JOB_READY)
            job_print_progress(wait->label, 0, 1);
    }
    if (wait->status == VIR_DOMAIN_BLOCK_JOB_FAILED)
        return shell_fail(shell, "%s failed", wait->label);
    if (wait->status == VIR_DOMAIN_BLOCK_JOB_CANCELED)
        return shell_fail(shell, "%s aborted", wait->label);
    if (wait->status == VIR_DOMAIN_BLOCK_JOB_COMPLETED &&
        virDomainGetBlockJobInfo(wait->domain, wait->path, &info, 0) < 0)
        shell_forget_error();
    return true;
}

/* What becomes of a mirror that has caught up: --pivot, --finish or --keep-overlay, or it stays as it is. */
static bool
finish_mirror(Shell *shell, const Args *args, const BlockWait *wait, const char *words)
{
    if (wait->status != VIR_DOMAIN_BLOCK_JOB_READY) {
        shell_note(shell, "\n%s complete", words);
        return true;
    }
    if (args_has(args, "pivot")) {
        if (virDomainBlockJobAbort(wait->domain, wait->path, VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT) < 0)
            return shell_fail(shell, "failed to pivot job for disk %s", wait->path);
        shell_note(shell, "\nSuccessfully pivoted");
    } else if (args_has(args, "finish") || args_has(args, "keep-overlay")) {
        if (virDomainBlockJobAbort(wait->domain, wait->path, 0) < 0)
            return shell_fail(shell, "failed to finish job for disk %s", wait->path);
        if (args_has(args, "finish"))
            shell_note(shell, "\nSuccessfully copied");
        else
            shell_note(shell, "\n%s complete, overlay image kept", words);
    } else {
        shell_note(shell, g_str_equal(words, "Copy") ? "\nNow in mirroring phase"
                                                     : "\nNow in synchronized phase");
    }
    return true;
}

/* ---- starting one ---- */

typedef struct {
    const char *label, *words;
    int (*start)(Shell *shell, const Args *args, virDomainPtr domain, const char *path,
                 unsigned long bandwidth);
} BlockJob;

/* MiB/s, or bytes/s with --bytes; the calls say which by a flag. */
static bool
args_bandwidth(Shell *shell, const Args *args, unsigned long *bandwidth)
{
    unsigned long long wide = 0;

    if (!args_has(args, "bytes") ? !args_ullong(shell, args, "bandwidth", &wide)
                                 : !args_bytes(shell, args, "bandwidth", 1, &wide))
        return false;
    *bandwidth = wide;
    return true;
}

static int
start_commit(Shell *shell, const Args *args, virDomainPtr domain, const char *path,
             unsigned long bandwidth)
{
    static const FlagBit bits[] = {
        {"shallow", VIR_DOMAIN_BLOCK_COMMIT_SHALLOW},
        {"delete", VIR_DOMAIN_BLOCK_COMMIT_DELETE},
        {"active", VIR_DOMAIN_BLOCK_COMMIT_ACTIVE},
        {"pivot", VIR_DOMAIN_BLOCK_COMMIT_ACTIVE},
        {"keep-overlay", VIR_DOMAIN_BLOCK_COMMIT_ACTIVE},
        {"keep-relative", VIR_DOMAIN_BLOCK_COMMIT_RELATIVE},
        {"bytes", VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES},
    };

    return virDomainBlockCommit(domain, path, args_text(args, "base"), args_text(args, "top"),
                                bandwidth, ARGS_BITS(args, bits));
}

static int
start_pull(Shell *shell, const Args *args, virDomainPtr domain, const char *path,
           unsigned long bandwidth)
{
    static const FlagBit bits[] = {
        {"keep-relative", VIR_DOMAIN_BLOCK_REBASE_RELATIVE},
        {"bytes", VIR_DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES},
    };
    unsigned int flags = ARGS_BITS(args, bits);

    return flags || args_has(args, "base")
               ? virDomainBlockRebase(domain, path, args_text(args, "base"), bandwidth, flags)
               : virDomainBlockPull(domain, path, bandwidth, 0);
}

/* The XML of the copy's target, as options describe it. Free with g_free. */
static char *
copy_xml(const Args *args)
{
    GString *xml = g_string_new("<disk type=");
    const char *format = args_text(args, "format");
    bool block = args_has(args, "blockdev");

    g_string_append(xml, block ? "'block'>\n  <source" : "'file'>\n  <source");
    xml_append_attribute(xml, block ? "dev" : "file", args_text(args, "dest"));
    g_string_append(xml, "/>\n");
    if (format) {
        g_string_append(xml, "  <driver");
        xml_append_attribute(xml, "type", format);
        g_string_append(xml, "/>\n");
    }
    g_string_append(xml, "</disk>\n");
    return g_string_free(xml, FALSE);
}

static int
start_copy(Shell *shell, const Args *args, virDomainPtr domain, const char *path,
           unsigned long bandwidth)
{
    static const FlagBit bits[] = {
        {"shallow", VIR_DOMAIN_BLOCK_COPY_SHALLOW},
        {"reuse-external", VIR_DOMAIN_BLOCK_COPY_REUSE_EXT},
        {"transient-job", VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB},
        {"synchronous-writes", VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES},
    };
    g_autofree char *xml = args_has(args, "xml") ? args_file(shell, args, "xml") : copy_xml(args);
    unsigned int granularity = 0;
    unsigned long long buffer = 0;
    virTypedParameterPtr params = NULL;
    int n = 0, room = 0;

    if (!xml || !args_uint(shell, args, "granularity", &granularity) ||
        !args_ullong(shell, args, "buf-size", &buffer))
        return -1;
    if (bandwidth)
        virTypedParamsAddULLong(&params, &n, &room, VIR_DOMAIN_BLOCK_COPY_BANDWIDTH,
                                args_has(args, "bytes") ? bandwidth : bandwidth << 20);
    if (granularity)
        virTypedParamsAddUInt(&params, &n, &room, VIR_DOMAIN_BLOCK_COPY_GRANULARITY, granularity);
    if (buffer)
        virTypedParamsAddULLong(&params, &n, &room, VIR_DOMAIN_BLOCK_COPY_BUF_SIZE, buffer);
    int result = virDomainBlockCopy(domain, path, xml, params, n, ARGS_BITS(args, bits));
    virTypedParamsFree(params, n);
    return result;
}

static bool
check_job(Shell *shell, const Args *args)
{
    static const char *const exclusive[][2] = {
        {"pivot", "keep-overlay"}, {"pivot", "finish"}, {"xml", "dest"},
        {"xml", "format"},         {"xml", "blockdev"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(exclusive); i++) {
        if (!args_exclude(shell, args, exclusive[i][0], exclusive[i][1]))
            return false;
    }
    if (g_str_equal(args_command(args), "blockcopy") && !args_has(args, "dest") &&
        !args_has(args, "xml"))
        return shell_fail(shell, "need either --dest or --xml to specify where to copy to");
    return true;
}

static bool
cmd_block_job(Shell *shell, const Args *args)
{
    static const char *const waiting[] = {"wait", "verbose", "pivot", "finish", "keep-overlay"};
    const BlockJob *job = args_detail(args);
    const char *path = args_text(args, "path");
    unsigned long bandwidth = 0;
    int seconds = 0;
    g_autoptr(virDomain) domain = NULL;
    bool waits = args_has(args, "timeout"), good;

    for (gsize i = 0; i < G_N_ELEMENTS(waiting); i++)
        waits = waits || args_has(args, waiting[i]);
    if (!args_bandwidth(shell, args, &bandwidth) || !args_int(shell, args, "timeout", &seconds) ||
        !check_job(shell, args))
        return false;
    if (args_has(args, "print-xml")) {
        g_autofree char *xml =
            args_has(args, "xml") ? args_file(shell, args, "xml") : copy_xml(args);
        if (xml)
            shell_print(shell, "%s", xml);
        return xml != NULL;
    }
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    BlockWait wait = {domain, path, job->label, false, false, args_has(args, "verbose"), -1};
    BlockWatch watch = {{-1, -1}, -1, -1};
    if (waits)
        watch = watch_begin(shell, &wait, seconds);
    good = job->start(shell, args, domain, path, bandwidth) >= 0;
    if (good && !waits)
        shell_note(shell, "Block %s started", job->words);
    if (good && waits)
        good = wait_for_end(shell, args, &wait);
    watch_end(shell, &watch);
    if (good && waits)
        good = finish_mirror(shell, args, &wait, job->words);
    return good;
}

static const BlockJob commit_job = {"Block commit", "Commit", start_commit};
static const BlockJob pull_job = {"Block pull", "Pull", start_pull};
static const BlockJob copy_job = {"Block copy", "Copy", start_copy};

#define DISK_PATH REQUIRED_OF("path", complete_disk, "target or source of the disk")
#define BANDWIDTH NUMBER("bandwidth", "most MiB a second (bytes with --bytes)")
#define WAITING                                                                            \
    FLAG("wait", "wait until it is done"), FLAG("verbose", "wait, and show the progress"), \
        NUMBER("timeout", "wait at most so many seconds, then abort it")
#define ASYNC FLAG("async", "when it is aborted, do not wait for that")
#define BYTES FLAG("bytes", "bandwidth is in bytes a second, with an optional unit")

static const Option blockcommit_options[] = {
    ACTIVE_DOMAIN,
    DISK_PATH,
    BANDWIDTH,
    TEXT_OF("base", NULL, "image that receives the data; none: the last"),
    FLAG("shallow", "into the image right below the top"),
    TEXT_OF("top", NULL, "image to merge; none: the topmost"),
    FLAG("active", "the topmost image, which the guest writes to: ends in a mirror"),
    FLAG("delete", "remove the merged files"),
    WAITING,
    FLAG("pivot", "wait, then go on with the base"),
    FLAG("keep-overlay", "wait, then go on with the overlay"),
    ASYNC,
    FLAG("keep-relative", "keep relative names of backing files"),
    BYTES,
    END_OF_OPTIONS,
};

static const Option blockpull_options[] = {
    ACTIVE_DOMAIN,
    DISK_PATH,
    BANDWIDTH,
    TEXT_OF("base", NULL, "image that stays below; none: all are pulled"),
    WAITING,
    ASYNC,
    FLAG("keep-relative", "keep relative names of backing files"),
    BYTES,
    END_OF_OPTIONS,
};

static const Option blockcopy_options[] = {
    ACTIVE_DOMAIN,
    DISK_PATH,
    TEXT_OF("dest", NULL, "file to copy to"),
    BANDWIDTH,
    FLAG("shallow", "only the topmost image"),
    FLAG("reuse-external", "the file exists already"),
    FLAG("blockdev", "the target is a block device"),
    WAITING,
    FLAG("pivot", "wait, then go on with the copy"),
    FLAG("finish", "wait, then go on with the original"),
    ASYNC,
    TEXT_OF("xml", NULL, "file with a <disk> that describes the target"),
    CHOICE("format", "raw,qcow2", "format of the target"),
    NUMBER("granularity", "bytes copied at once, a power of two"),
    NUMBER("buf-size", "most bytes in flight"),
    BYTES,
    FLAG("transient-job", "the job need not survive the daemon"),
    FLAG("synchronous-writes", "what the guest writes goes to both at once"),
    FLAG("print-xml", "print the target's XML and do nothing"),
    ALIAS("raw", "--format=raw"),
    END_OF_OPTIONS,
};

/* ---- looking after one ---- */

static void
print_job(Shell *shell, const Args *args, const virDomainBlockJobInfo *info)
{
    static const char *const types[] = {"Unknown job",  "Block Pull",          "Block Copy",
                                        "Block Commit", "Active Block Commit", "Backup"};
    const char *type = info->type < (int)G_N_ELEMENTS(types) ? types[MAX(info->type, 0)] : types[0];
    g_autoptr(Fields) fields = fields_new(0);

    if (shell_wants_json(shell)) {
        fields_text(fields, "", "type", type);
        fields_number(fields, "", "bandwidth", info->bandwidth, NULL);
        fields_number(fields, "", "current", info->cur, NULL);
        fields_number(fields, "", "end", info->end, NULL);
        fields_print(shell, fields);
    } else if (args_has(args, "raw")) {
        shell_print(shell, " type=%s\n bandwidth=%lu\n cur=%llu\n end=%llu\n", type,
                    info->bandwidth, info->cur, info->end);
    } else {
        job_print_progress(type, info->end - info->cur, info->end);
        if (info->bandwidth)
            shell_print(shell, "    Bandwidth limit: %lu bytes/s", info->bandwidth);
        shell_print(shell, "\n");
    }
}

static bool
cmd_blockjob(Shell *shell, const Args *args)
{
    const char *path = args_text(args, "path");
    unsigned long bandwidth = 0;
    g_autoptr(virDomain) domain = NULL;
    virDomainBlockJobInfo info;
    bool abort = args_has(args, "abort") || args_has(args, "async") || args_has(args, "pivot");

    if (!args_exclude(shell, args, "raw", "abort") ||
        !args_exclude(shell, args, "raw", "bandwidth") ||
        !args_exclude(shell, args, "info", "abort") ||
        !args_exclude(shell, args, "info", "pivot") ||
        !args_exclude(shell, args, "info", "bandwidth") || !args_bandwidth(shell, args, &bandwidth))
        return false;
    if (abort && args_has(args, "bandwidth"))
        return shell_fail(shell, "a job cannot be ended and given a bandwidth at once");
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (abort) {
        unsigned int flags = 0;
        flags |= args_has(args, "async") ? VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC : 0;
        flags |= args_has(args, "pivot") ? VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT : 0;
        return virDomainBlockJobAbort(domain, path, flags) >= 0;
    }
    if (args_has(args, "bandwidth"))
        return virDomainBlockJobSetSpeed(
                   domain, path, bandwidth,
                   args_has(args, "bytes") ? VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES : 0) >= 0;
    int found =
        virDomainGetBlockJobInfo(domain, path, &info, VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES);
    if (found < 0)
        return false;
    if (found)
        print_job(shell, args, &info);
    else if (shell_wants_json(shell))
        shell_print(shell, "null\n");
    else if (!args_has(args, "raw"))
        shell_note(shell, "No current block job for %s", path);
    return true;
}

static const Option blockjob_options[] = {
    ACTIVE_DOMAIN,
    DISK_PATH,
    FLAG("abort", "end the job"),
    FLAG("async", "end the job and do not wait for that"),
    FLAG("pivot", "end a mirror and go on with its target"),
    FLAG("info", "show the job (also when nothing else is asked)"),
    FLAG("bytes", "bandwidth is in bytes a second"),
    FLAG("raw", "show it for programs"),
    NUMBER("bandwidth", "set the most MiB a second"),
    END_OF_OPTIONS,
};

static bool
cmd_blockresize(Shell *shell, const Args *args)
{
    unsigned long long bytes = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_bytes(shell, args, "size", 1024, &bytes))
        return false;
    domain = args_domain(shell, args);
    if (!domain)
        return false;
    if (virDomainBlockResize(domain, args_text(args, "path"), bytes % 1024 ? bytes : bytes / 1024,
                             bytes % 1024 ? VIR_DOMAIN_BLOCK_RESIZE_BYTES : 0) < 0)
        return shell_fail(shell, "Failed to resize block device '%s'", args_text(args, "path"));
    shell_note(shell, "Block device '%s' is resized", args_text(args, "path"));
    return true;
}

static const Option blockresize_options[] = {
    ACTIVE_DOMAIN,
    DISK_PATH,
    REQUIRED_NUMBER("size", "new size, KiB unless a unit follows: 20GiB"),
    END_OF_OPTIONS,
};

static bool
cmd_domblkthreshold(Shell *shell, const Args *args)
{
    unsigned long long bytes = 0;
    g_autoptr(virDomain) domain = NULL;

    if (!args_bytes(shell, args, "threshold", 1, &bytes))
        return false;
    domain = args_domain(shell, args);
    return domain && virDomainSetBlockThreshold(domain, args_text(args, "dev"), bytes, 0) >= 0;
}

static const Option domblkthreshold_options[] = {
    DOMAIN,
    REQUIRED_OF("dev", complete_disk, "target of the disk, or vda[3] for a backing image"),
    REQUIRED_NUMBER("threshold", "bytes written after which an event comes; a unit may follow"),
    END_OF_OPTIONS,
};

const Command block_commands[] = {
    {"blockcommit", cmd_block_job, blockcommit_options, "merge images of a disk downwards", 0,
     "Example: put what an overlay holds back into its base, and go on with that:\n"
     "  virsh blockcommit web1 vda --active --pivot --verbose",
     &commit_job},
    {"blockcopy", cmd_block_job, blockcopy_options, "copy a disk while the guest uses it", 0,
     "Example:\n  virsh blockcopy web1 vda --dest /images/new.qcow2 --format qcow2 --pivot "
     "--verbose",
     &copy_job},
    {"blockjob", cmd_blockjob, blockjob_options, "show, slow down or end a disk's job",
     COMMAND_JSON, NULL, NULL},
    {"blockpull", cmd_block_job, blockpull_options, "merge images of a disk upwards", 0, NULL,
     &pull_job},
    {"blockresize", cmd_blockresize, blockresize_options, "resize a disk of a running guest", 0,
     NULL, NULL},
    {"domblkthreshold", cmd_domblkthreshold, domblkthreshold_options,
     "ask for an event when a disk has grown so far", 0, NULL, NULL},
    {0},
};
