/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See nwfilter.h: the filter as a whole. Values that a filter cannot have are dropped or refused as upstream does. */
#define ERROR_DOMAIN VIR_FROM_NWFILTER
#include "model/nwfilter.h"

#include <string.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"

#define PRIORITY_MAX 1000
#define CHAIN_BYTES_MAX 11

static const struct {
    const char *name;
    int priority;
} chains[] = {{"root", 0},    {"stp", -810},  {"mac", -800}, {"vlan", -750},
              {"ipv4", -700}, {"ipv6", -600}, {"arp", -500}, {"rarp", -400}};

static bool
check_chain_name(const char *chain, GError **err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-";
    bool is_known = false;

    if (strlen(chain) > CHAIN_BYTES_MAX)
        return fail(err, VIR_ERR_INVALID_ARG, "Name of chain '%s' is longer than %d characters",
                    chain, CHAIN_BYTES_MAX);
    if (chain[strspn(chain, allowed)])
        return fail(err, VIR_ERR_INVALID_ARG, "Chain name '%s' contains invalid characters", chain);
    for (gsize i = 1; i < G_N_ELEMENTS(chains); i++)
        is_known = is_known || g_str_has_prefix(chain, chains[i].name);
    return is_known || !strcmp(chain, "root") ||
           fail(err, VIR_ERR_INVALID_ARG,
                "Invalid chain name '%s'. Please use a chain name called 'root' or any of the "
                "following prefixes: stp, mac, vlan, ipv4, ipv6, arp, rarp",
                chain);
}

static bool
fill_chain(Nwfilter *filter, GError **err)
{
    int priority = 0;

    if (!filter->chain)
        filter->chain = g_strdup("root");
    if (!check_chain_name(filter->chain, err))
        return false;
    for (gsize i = 0; i < G_N_ELEMENTS(chains); i++)
        if (!strcmp(filter->chain, chains[i].name))
            priority = chains[i].priority;
    if (filter->priority && !text_to_int(filter->priority, 10, &priority))
        return fail(err, VIR_ERR_INVALID_ARG, "Could not parse chain priority '%s'",
                    filter->priority);
    if (ABS(priority) > PRIORITY_MAX)
        return fail(err, VIR_ERR_INVALID_ARG,
                    "Priority '%d' of filter '%s' is outside valid range of [-%d,%d]", priority,
                    filter->name, PRIORITY_MAX, PRIORITY_MAX);
    g_clear_pointer(&filter->priority, g_free);
    if (priority)
        filter->priority = g_strdup_printf("%d", priority);
    return true;
}

/* All branches hold the same: the one that is there. */
static FilterMatch *
protocol_match(FilterProtocol *protocol)
{
    FilterMatch **branches = &protocol->mac;

    return branches[protocol->kind - FILTER_PROTOCOL_KIND_MAC];
}

static bool
fill_rule(FilterRule *rule, GError **err)
{
    const bool ignores_state =
        rule->statematch && (!strcmp(rule->statematch, "0") || !strcmp(rule->statematch, "no") ||
                             !strcmp(rule->statematch, "false"));
    int priority;

    if (!rule->priority || !text_to_int(rule->priority, 10, &priority) ||
        ABS(priority) > PRIORITY_MAX)
        priority = 500;
    g_free(rule->priority);
    rule->priority = g_strdup_printf("%d", priority);
    g_free(rule->statematch);
    rule->statematch = ignores_state ? g_strdup("false") : NULL;
    while (rule->n_protocols > 1) /* a rule matches one */
        model_free(&filter_protocol_model, model_take(rule, protocols, rule->n_protocols - 1));
    return !rule->n_protocols ||
           filter_match_clean(protocol_match(rule->protocols[0]), rule->protocols[0]->kind, err);
}

static int
compare_parameters(const void *a, const void *b)
{
    const FilterParameter *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

static bool
is_made_of(const char *text, const char *more)
{
    for (; *text; text++)
        if (!g_ascii_isalnum(*text) && !strchr(more, *text))
            return false;
    return true;
}

/* By name; the values of one name stay in their order. What is no name or no value counts for nothing. */
static void
fill_reference(FilterReference *reference)
{
    for (gsize i = 0; i < reference->n_parameters;) {
        const FilterParameter *parameter = reference->parameters[i];

        if (parameter->name && parameter->value && is_made_of(parameter->name, "_") &&
            is_made_of(parameter->value, "_.:"))
            i++;
        else
            filter_parameter_free(model_take(reference, parameters, i));
    }
    /* Insertion sort: it is stable, and lists are short. */
    for (gsize i = 1; i < reference->n_parameters; i++)
        for (gsize j = i;
             j && compare_parameters(&reference->parameters[j - 1], &reference->parameters[j]) > 0;
             j--) {
            FilterParameter *swap = reference->parameters[j];

            reference->parameters[j] = reference->parameters[j - 1];
            reference->parameters[j - 1] = swap;
        }
}

static bool
fill_entries(Nwfilter *filter, GError **err)
{
    for (gsize i = 0; i < filter->n_entries; i++) {
        FilterEntry *entry = filter->entries[i];

        if (entry->kind == FILTER_ENTRY_KIND_FILTERREF)
            fill_reference(entry->filterref);
        else if (!fill_rule(entry->rule, err))
            return false;
    }
    return true;
}

Nwfilter *
nwfilter_read(const char *xml, GError **err)
{
    g_autoptr(Nwfilter) filter = nwfilter_parse(xml, 0, err);

    if (!filter)
        return NULL;
    if (!filter->has_uuid)
        uuid_generate(filter->uuid);
    filter->has_uuid = true;
    if (strpbrk(filter->name, "/\n"))
        return fail_null(err, VIR_ERR_XML_ERROR, "name %s cannot contain '/' or a line break",
                         filter->name);
    return fill_chain(filter, err) && fill_entries(filter, err) ? g_steal_pointer(&filter) : NULL;
}
