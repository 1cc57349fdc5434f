/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints the generated tables of the protocols line by line, for test_wire_facts.py to compare with the fact tables. */
#include "gen/api-events.h"
#include "gen/api-procs.h"

#include <stdio.h>

static const char *const kinds[] = {"int",  "uint",   "hyper", "uhyper", "double",
                                    "char", "uchar",  "short", "ushort", "string",
                                    "uuid", "opaque", "struct"};
static const char *const shapes[] = {"one", "optional", "counted", "fixed"};
static const char *const objects[] = {"none",
                                      "connect",
                                      "domain",
                                      "domain_snapshot",
                                      "domain_checkpoint",
                                      "interface",
                                      "network",
                                      "network_port",
                                      "node_device",
                                      "nwfilter",
                                      "nwfilter_binding",
                                      "secret",
                                      "storage_pool",
                                      "storage_vol"};
static const char *const whens[] = {"always", "if", "unless", "equal"};

static void
print_permission(const char *word, const ApiProc *proc, const ApiPermission *permission)
{
    printf("%s\t%u\t%d\t%s\t%s\t%s\t%u\t%d\t%d\n", word, proc->program, proc->number,
           objects[permission->object], permission->name, whens[permission->when], permission->mask,
           permission->is_write, permission->is_open);
}

int
main(void)
{
    for (const CodecType *const *type = api_codecs; *type; type++) {
        printf("type\t%s\t%s\n", (*type)->name, (*type)->is_union ? "union" : "struct");
        for (guint32 i = 0; i < (*type)->n_fields; i++) {
            const CodecField *field = &(*type)->fields[i];

            printf("field\t%s\t%s\t%s\t%s\t%u\t%u\t%d\t%s\n", (*type)->name, field->name,
                   kinds[field->kind], shapes[field->shape], field->bound, field->string_bound,
                   field->tag, field->type ? field->type->name : "");
        }
    }
    for (int i = 0; i < API_N_PROCS; i++) {
        const ApiProc *proc = &api_procs[i];

        printf("proc\t%u\t%d\t%s\t%d\t%u\t%s\t%s\t%s\n", proc->program, proc->number, proc->name,
               proc->kind, proc->flags, proc->args ? proc->args->name : "",
               proc->ret ? proc->ret->name : "", proc->function);
        for (guint32 j = 0; j < proc->n_acl; j++)
            print_permission("acl", proc, &proc->acl[j]);
        if (proc->filter)
            print_permission("filter", proc, proc->filter);
    }
    for (int cls = 0; cls < API_N_EVENT_CLASSES; cls++) {
        const ApiEventClassInfo *info = &api_event_classes[cls];

        for (int id = 0; id < info->n_ids; id++) {
            const ApiEvent *event = api_event_find(cls, id);

            printf("event\t%d\t%d\t%s\t%d\t%d\t%s\t%s\n", cls, id, event->name, event->proc->number,
                   event->legacy ? event->legacy->number : 0, info->register_proc->name,
                   info->deregister_proc->name);
        }
    }
    return 0;
}
