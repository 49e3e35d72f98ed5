/* SPDX-License-Identifier: BSD-3-Clause */
/* Flow filters: wire format -> what is offered -> capabilities -> groups, classifiers, rules -> the
 * commands on them -> matching a frame -> saved state. Objects are made from private bytes, checked
 * as a whole, and only then entered: what is refused changes nothing. */
#include "devices/net_internal.h"

#define VIRTIO_NET_FF_RESOURCE_CAP 0x800U
#define VIRTIO_NET_FF_SELECTOR_CAP 0x801U
#define VIRTIO_NET_FF_ACTION_CAP   0x802U

#define VIRTIO_NET_RESOURCE_OBJ_FF_GROUP      0x200U
#define VIRTIO_NET_RESOURCE_OBJ_FF_CLASSIFIER 0x201U
#define VIRTIO_NET_RESOURCE_OBJ_FF_RULE       0x202U

#define VIRTIO_NET_FF_MASK_F_PARTIAL_MASK 1U

#define VIRTIO_NET_FF_MASK_TYPE_ETH  1U
#define VIRTIO_NET_FF_MASK_TYPE_IPV4 2U
#define VIRTIO_NET_FF_MASK_TYPE_IPV6 3U
#define VIRTIO_NET_FF_MASK_TYPE_TCP  4U
#define VIRTIO_NET_FF_MASK_TYPE_UDP  5U
#define VIRTIO_NET_FF_MASK_TYPE_ESP  6U

#define VIRTIO_NET_FF_ACTION_DROP         1U
#define VIRTIO_NET_FF_ACTION_DIRECT_RX_VQ 2U

#define FLOW_ACTIONS       (1U << VIRTIO_NET_FF_ACTION_DROP | 1U << VIRTIO_NET_FF_ACTION_DIRECT_RX_VQ)
#define FLOW_ACTION_BITS   8U
#define FLOW_LAST_PRIORITY 255U
#define FLOW_NONE          0xffffffffU

/* ---- wire format ---- */

struct virtio_net_ff_cap_data {
    avps_le32 groups_limit;
    avps_le32 classifiers_limit;
    avps_le32 rules_limit;
    avps_le32 rules_per_group_limit;
    uint8_t last_rule_priority;
    uint8_t selectors_per_classifier_limit;
    uint8_t reserved[2];
};
AVPS_WIRE_SIZE(struct virtio_net_ff_cap_data, 20);

/* In front of selectors and of actions. */
struct virtio_net_ff_list {
    uint8_t count;
    uint8_t reserved[7];
};
AVPS_WIRE_SIZE(struct virtio_net_ff_list, 8);

struct virtio_net_ff_selector {
    uint8_t type;
    uint8_t flags;
    uint8_t reserved[2];
    uint8_t length;
    uint8_t reserved1[3];
};
AVPS_WIRE_SIZE(struct virtio_net_ff_selector, 8);

struct virtio_net_resource_obj_ff_rule {
    avps_le32 group_id;
    avps_le32 classifier_id;
    uint8_t rule_priority;
    uint8_t key_length;
    uint8_t action;
    uint8_t reserved;
    avps_le16 vq_index;
    uint8_t reserved1[2];
};
AVPS_WIRE_SIZE(struct virtio_net_resource_obj_ff_rule, 16);

/* Takes fields off the front of private bytes; short ones give 0 and a failure that sticks. */
static void flow_take(struct avps_state *in, void *fields, size_t len)
{
    avps_state_get(in, fields, len);
}

static void flow_put(struct avps_admin_out *out, const void *fields, size_t len)
{
    AVPS_ASSERT(len <= AVPS_ADMIN_DATA_MAX - out->len);
    (void)memcpy(out->bytes + out->len, fields, len);
    out->len += (uint32_t)len;
}

static bool flow_is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++) {
        any |= bytes[i];
    }
    return any == 0U;
}

/* ---- what is offered ---- */

/* Bytes of a header; 0: no such type. */
static uint8_t flow_length(uint8_t type)
{
    static const uint8_t lengths[AVPS_NET_FF_TYPES] = {
        [VIRTIO_NET_FF_MASK_TYPE_ETH] = 14,  [VIRTIO_NET_FF_MASK_TYPE_IPV4] = 20,
        [VIRTIO_NET_FF_MASK_TYPE_IPV6] = 40, [VIRTIO_NET_FF_MASK_TYPE_TCP] = 20,
        [VIRTIO_NET_FF_MASK_TYPE_UDP] = 8,   [VIRTIO_NET_FF_MASK_TYPE_ESP] = 8,
    };

    return type < AVPS_COUNT_OF(lengths) ? lengths[type] : 0U;
}

static void flow_get_resources(struct avps_admin_out *out)
{
    const struct virtio_net_ff_cap_data cap = {
        .groups_limit = avps_le32_of(AVPS_NET_FF_GROUPS),
        .classifiers_limit = avps_le32_of(AVPS_NET_FF_CLASSIFIERS),
        .rules_limit = avps_le32_of(AVPS_NET_FF_RULES),
        .rules_per_group_limit = avps_le32_of(AVPS_NET_FF_RULES),
        .last_rule_priority = FLOW_LAST_PRIORITY,
        .selectors_per_classifier_limit = AVPS_NET_FF_SELECTORS,
    };

    flow_put(out, &cap, sizeof cap);
}

static void flow_put_selector(struct avps_admin_out *out, uint8_t type, uint8_t flags,
                              const uint8_t *mask)
{
    const struct virtio_net_ff_selector selector = {
        .type = type, .flags = flags, .length = flow_length(type)};

    flow_put(out, &selector, sizeof selector);
    flow_put(out, mask, selector.length);
}

/* Every bit of every header. */
static void flow_get_selectors(struct avps_admin_out *out)
{
    const struct virtio_net_ff_list list = {.count = AVPS_NET_FF_TYPES - 1U};
    uint8_t all[AVPS_NET_FF_HEADER];

    (void)memset(all, 0xff, sizeof all);
    flow_put(out, &list, sizeof list);
    for (uint8_t type = 1; type < AVPS_NET_FF_TYPES; type++) {
        flow_put_selector(out, type, VIRTIO_NET_FF_MASK_F_PARTIAL_MASK, all);
    }
}

static void flow_put_actions(struct avps_admin_out *out, uint8_t set)
{
    struct virtio_net_ff_list list = {.count = 0};
    uint8_t actions[FLOW_ACTION_BITS];

    for (uint8_t action = 0; action < FLOW_ACTION_BITS; action++) {
        if ((set >> action & 1U) != 0U) {
            actions[list.count++] = action;
        }
    }
    flow_put(out, &list, sizeof list);
    flow_put(out, actions, list.count);
}

static enum avps_admin_result flow_cap_get(const struct avps_device *dev, uint16_t id,
                                           struct avps_admin_out *out)
{
    (void)dev;
    if (id == VIRTIO_NET_FF_RESOURCE_CAP) {
        flow_get_resources(out);
    } else if (id == VIRTIO_NET_FF_SELECTOR_CAP) {
        flow_get_selectors(out);
    } else {
        flow_put_actions(out, FLOW_ACTIONS);
    }
    return AVPS_ADMIN_OK;
}

/* ---- capabilities that the driver sets ---- */

/* [net-15.3] All three are in use. */
static bool flow_is_enabled(const struct avps_net_flow *flow)
{
    return flow->limits.groups != 0U && flow->actions != 0U &&
           flow->selectors[VIRTIO_NET_FF_MASK_TYPE_ETH].length != 0U;
}

static bool flow_has_objects(const struct avps_net_flow *flow)
{
    bool any = flow->order_count != 0U;

    for (uint32_t i = 0; i < AVPS_NET_FF_GROUPS; i++) {
        any = any || flow->groups[i].used;
    }
    for (uint32_t i = 0; i < AVPS_NET_FF_CLASSIFIERS; i++) {
        any = any || flow->classifiers[i].used;
    }
    return any;
}

/* [admin-caps-1.2] [admin-caps-1.4] Limits up to the offered ones. */
static enum avps_admin_result flow_set_resources(struct avps_net_flow *flow, struct avps_state *in)
{
    struct virtio_net_ff_cap_data cap;

    flow_take(in, &cap, sizeof cap);
    const struct avps_net_ff_limits limits = {
        .groups = avps_le32_get(cap.groups_limit),
        .classifiers = avps_le32_get(cap.classifiers_limit),
        .rules = avps_le32_get(cap.rules_limit),
        .rules_per_group = avps_le32_get(cap.rules_per_group_limit),
        .last_priority = cap.last_rule_priority,
        .selectors = cap.selectors_per_classifier_limit,
    };

    if (limits.groups > AVPS_NET_FF_GROUPS || limits.classifiers > AVPS_NET_FF_CLASSIFIERS ||
        limits.rules > AVPS_NET_FF_RULES || limits.rules_per_group > AVPS_NET_FF_RULES ||
        limits.selectors > AVPS_NET_FF_SELECTORS ||
        !flow_is_zero(cap.reserved, sizeof cap.reserved)) {
        return AVPS_ADMIN_BAD_FIELD;
    }
    flow->limits = limits;
    return AVPS_ADMIN_OK;
}

/* One selector with its mask; `mask` has room for AVPS_NET_FF_HEADER bytes. */
static bool flow_take_selector(struct avps_state *in, struct virtio_net_ff_selector *selector,
                               uint8_t *mask)
{
    flow_take(in, selector, sizeof *selector);
    if (selector->length == 0U || selector->length != flow_length(selector->type) ||
        (selector->flags & ~VIRTIO_NET_FF_MASK_F_PARTIAL_MASK) != 0U ||
        !flow_is_zero(selector->reserved, sizeof selector->reserved) ||
        !flow_is_zero(selector->reserved1, sizeof selector->reserved1)) {
        return false;
    }
    flow_take(in, mask, selector->length);
    return !in->failed;
}

/* [admin-caps-1.3] Types in ascending order, each at most once. */
static enum avps_admin_result flow_set_selectors(struct avps_net_flow *flow, struct avps_state *in)
{
    struct avps_net_ff_selector next[AVPS_NET_FF_TYPES];
    struct virtio_net_ff_list list;
    uint8_t last = 0;

    (void)memset(next, 0, sizeof next);
    flow_take(in, &list, sizeof list);
    if (list.count >= AVPS_NET_FF_TYPES || !flow_is_zero(list.reserved, sizeof list.reserved)) {
        return AVPS_ADMIN_BAD_FIELD;
    }
    for (uint8_t i = 0; i < list.count; i++) {
        struct virtio_net_ff_selector selector;
        uint8_t mask[AVPS_NET_FF_HEADER] = {0};

        if (!flow_take_selector(in, &selector, mask) || selector.type <= last) {
            return AVPS_ADMIN_BAD_FIELD;
        }
        last = selector.type;
        next[last].length = selector.length;
        next[last].flags = selector.flags;
        (void)memcpy(next[last].mask, mask, sizeof mask);
    }
    (void)memcpy(flow->selectors, next, sizeof next);
    return AVPS_ADMIN_OK;
}

static enum avps_admin_result flow_set_actions(struct avps_net_flow *flow, struct avps_state *in)
{
    struct virtio_net_ff_list list;
    uint8_t set = 0;
    uint8_t last = 0;

    flow_take(in, &list, sizeof list);
    if (!flow_is_zero(list.reserved, sizeof list.reserved)) {
        return AVPS_ADMIN_BAD_FIELD;
    }
    for (uint8_t i = 0; i < list.count; i++) {
        uint8_t action = 0;

        flow_take(in, &action, sizeof action);
        if (action <= last || action >= FLOW_ACTION_BITS || (FLOW_ACTIONS >> action & 1U) == 0U) {
            return AVPS_ADMIN_BAD_FIELD;
        }
        last = action;
        set |= (uint8_t)(1U << action);
    }
    flow->actions = set;
    return AVPS_ADMIN_OK;
}

/* [admin-caps-1.7] Not while objects stand on the old values. */
static enum avps_admin_result flow_cap_set(struct avps_device *dev, uint16_t id,
                                           const uint8_t *bytes, uint32_t room)
{
    struct avps_net_flow *flow = net_of(dev)->flow;
    struct avps_state in = {.in = bytes, .size = room};

    if (flow_has_objects(flow)) {
        return AVPS_ADMIN_BUSY;
    }
    if (id == VIRTIO_NET_FF_RESOURCE_CAP) {
        return flow_set_resources(flow, &in);
    }
    return id == VIRTIO_NET_FF_SELECTOR_CAP ? flow_set_selectors(flow, &in)
                                            : flow_set_actions(flow, &in);
}

/* ---- groups ---- */

/* [net-15.4] `self`: the group itself, whose priority is no other's. */
static bool flow_priority_is_free(const struct avps_net_flow *flow, uint16_t priority,
                                  uint32_t self)
{
    for (uint32_t i = 0; i < AVPS_NET_FF_GROUPS; i++) {
        if (i != self && flow->groups[i].used && flow->groups[i].priority == priority) {
            return false;
        }
    }
    return true;
}

static enum avps_admin_result flow_put_group(struct avps_net *net,
                                             const struct avps_admin_object *object)
{
    struct avps_net_ff_group *group = &net->flow->groups[object->id];
    const uint16_t priority = (uint16_t)(object->bytes[0] | (uint32_t)object->bytes[1] << 8);

    if (object->flags != 0U || !flow_priority_is_free(net->flow, priority, object->id)) {
        return AVPS_ADMIN_BAD_FIELD;
    }
    group->used = true;
    group->priority = priority;
    return AVPS_ADMIN_OK;
}

static void flow_get_group(const struct avps_net_flow *flow, uint32_t id,
                           struct avps_admin_out *out)
{
    const avps_le16 priority = avps_le16_of(flow->groups[id].priority);

    flow_put(out, &priority, sizeof priority);
}

static uint32_t flow_group_limit(const struct avps_net_flow *flow)
{
    const struct avps_net_ff_limits *limits = &flow->limits;

    return limits->groups < limits->rules_per_group ? limits->groups : limits->rules_per_group;
}

/* ---- classifiers ---- */

/* drv.net-15.8: Ethernet, then an IP header, then a transport header. */
static bool flow_type_may_follow(uint8_t position, uint8_t type)
{
    if (position == 0U) {
        return type == VIRTIO_NET_FF_MASK_TYPE_ETH;
    }
    if (position == 1U) {
        return type == VIRTIO_NET_FF_MASK_TYPE_IPV4 || type == VIRTIO_NET_FF_MASK_TYPE_IPV6;
    }
    return type >= VIRTIO_NET_FF_MASK_TYPE_TCP;
}

/* Only bits that the driver's capability names. */
static bool flow_mask_is_allowed(const struct avps_net_ff_selector *cap,
                                 const struct virtio_net_ff_selector *selector, const uint8_t *mask)
{
    if (cap->length == 0U || (selector->flags & ~cap->flags) != 0U) {
        return false;
    }
    for (uint8_t i = 0; i < selector->length; i++) {
        if ((mask[i] & ~cap->mask[i]) != 0U) {
            return false;
        }
    }
    return true;
}

/* drv.net-15.9: a header that is followed by another names its kind: the mask has those bits. */
static bool flow_mask_leads_on(const struct avps_net_ff_classifier *next)
{
    if (next->count > 1U && (next->mask[12] & next->mask[13]) != 0xffU) {
        return false;
    }
    if (next->count > 2U) {
        const bool ipv6 = next->types[1] == VIRTIO_NET_FF_MASK_TYPE_IPV6;

        return next->mask[NET_ETH_HEADER + (ipv6 ? 6U : 9U)] == 0xffU;
    }
    return true;
}

/* Append one selector to a classifier that is being made. */
static bool flow_add_selector(const struct avps_net_flow *flow, struct avps_state *in,
                              struct avps_net_ff_classifier *next)
{
    struct virtio_net_ff_selector selector;
    uint8_t mask[AVPS_NET_FF_HEADER] = {0};

    if (!flow_take_selector(in, &selector, mask) ||
        !flow_type_may_follow(next->count, selector.type) ||
        !flow_mask_is_allowed(&flow->selectors[selector.type], &selector, mask)) {
        return false;
    }
    next->types[next->count] = selector.type;
    next->flags[next->count] = selector.flags;
    next->count++;
    (void)memcpy(next->mask + next->key_len, mask, selector.length);
    next->key_len = (uint8_t)(next->key_len + selector.length);
    return true;
}

/* [net-15.21] The command's flags may say "partial masks"; each selector says so for itself. */
static enum avps_admin_result flow_put_classifier(struct avps_net *net,
                                                  const struct avps_admin_object *object)
{
    struct avps_state in = {.in = object->bytes, .size = object->room};
    struct avps_net_ff_classifier next = {.used = true};
    struct virtio_net_ff_list list;

    flow_take(&in, &list, sizeof list);
    if ((object->flags & ~(uint64_t)VIRTIO_NET_FF_MASK_F_PARTIAL_MASK) != 0U || list.count == 0U ||
        list.count > net->flow->limits.selectors ||
        !flow_is_zero(list.reserved, sizeof list.reserved)) {
        return AVPS_ADMIN_BAD_FIELD;
    }
    for (uint8_t i = 0; i < list.count; i++) {
        if (!flow_add_selector(net->flow, &in, &next)) {
            return AVPS_ADMIN_BAD_FIELD;
        }
    }
    if (!flow_mask_leads_on(&next)) {
        return AVPS_ADMIN_BAD_FIELD;
    }
    net->flow->classifiers[object->id] = next;
    return AVPS_ADMIN_OK;
}

static void flow_get_classifier(const struct avps_net_flow *flow, uint32_t id,
                                struct avps_admin_out *out)
{
    const struct avps_net_ff_classifier *classifier = &flow->classifiers[id];
    const struct virtio_net_ff_list list = {.count = classifier->count};
    uint32_t at = 0;

    flow_put(out, &list, sizeof list);
    for (uint8_t i = 0; i < classifier->count; i++) {
        flow_put_selector(out, classifier->types[i], classifier->flags[i], classifier->mask + at);
        at += flow_length(classifier->types[i]);
    }
}

/* ---- rules ---- */

/* Whether rule `a` comes before rule `b`: by group, then by its own priority. */
static bool flow_precedes(const struct avps_net_flow *flow, uint16_t a, uint16_t b)
{
    const struct avps_net_ff_rule *first = &flow->rules[a];
    const struct avps_net_ff_rule *second = &flow->rules[b];
    const uint16_t first_group = flow->groups[first->group].priority;
    const uint16_t second_group = flow->groups[second->group].priority;

    return first_group != second_group ? first_group > second_group
                                       : first->priority > second->priority;
}

/* [net-15.12] [net-15.15] [net-15.17] The order in which rules are tried, after any change. */
static void flow_sort(struct avps_net_flow *flow)
{
    flow->order_count = 0;
    for (uint16_t rule = 0; rule < AVPS_NET_FF_RULES; rule++) {
        uint16_t at = flow->order_count;

        if (!flow->rules[rule].used) {
            continue;
        }
        while (at > 0U && flow_precedes(flow, rule, flow->order[at - 1U])) {
            flow->order[at] = flow->order[at - 1U];
            at--;
        }
        flow->order[at] = rule;
        flow->order_count++;
    }
}

/* [net-15.9] What a rule names must be there, and its key as long as the classifier's. */
static bool flow_rule_is_valid(const struct avps_net *net, const struct avps_net_ff_rule *rule)
{
    const struct avps_net_flow *flow = net->flow;

    if (rule->group >= AVPS_NET_FF_GROUPS || !flow->groups[rule->group].used ||
        rule->classifier >= AVPS_NET_FF_CLASSIFIERS || !flow->classifiers[rule->classifier].used) {
        return false;
    }
    if (rule->action >= FLOW_ACTION_BITS || (flow->actions >> rule->action & 1U) == 0U ||
        rule->priority >= flow->limits.last_priority ||
        rule->key_len != flow->classifiers[rule->classifier].key_len) {
        return false;
    }
    return rule->action != VIRTIO_NET_FF_ACTION_DIRECT_RX_VQ ||
           (rule->queue % 2U == NET_RX && rule->queue / 2U < net_pairs_usable(net));
}

/* [admin-res-1.7] A group has room for one more, or for the rule that is in it already. */
static bool flow_group_has_room(const struct avps_net_flow *flow,
                                const struct avps_net_ff_rule *before,
                                const struct avps_net_ff_rule *next)
{
    return flow->groups[next->group].rules < flow->limits.rules_per_group ||
           (before->used && before->group == next->group);
}

/* Count what depends on a rule's group and classifier. */
static void flow_count_rule(struct avps_net_flow *flow, const struct avps_net_ff_rule *rule,
                            bool add)
{
    if (rule->used) {
        uint16_t *group = &flow->groups[rule->group].rules;
        uint16_t *classifier = &flow->classifiers[rule->classifier].rules;

        *group = (uint16_t)(add ? *group + 1U : *group - 1U);
        *classifier = (uint16_t)(add ? *classifier + 1U : *classifier - 1U);
    }
}

static void flow_replace_rule(struct avps_net_flow *flow, uint32_t id,
                              const struct avps_net_ff_rule *next)
{
    flow_count_rule(flow, &flow->rules[id], false);
    flow->rules[id] = *next;
    flow_count_rule(flow, next, true);
    flow_sort(flow);
}

static enum avps_admin_result flow_put_rule(struct avps_net *net,
                                            const struct avps_admin_object *object)
{
    struct avps_state in = {.in = object->bytes, .size = object->room};
    struct virtio_net_resource_obj_ff_rule wire;

    flow_take(&in, &wire, sizeof wire);
    struct avps_net_ff_rule next = {
        .used = true,
        .priority = wire.rule_priority,
        .action = wire.action,
        .key_len = wire.key_length,
        .queue = avps_le16_get(wire.vq_index),
        .group = avps_le32_get(wire.group_id),
        .classifier = avps_le32_get(wire.classifier_id),
    };
    if (object->flags != 0U || wire.reserved != 0U ||
        !flow_is_zero(wire.reserved1, sizeof wire.reserved1) || !flow_rule_is_valid(net, &next)) {
        return AVPS_ADMIN_BAD_FIELD;
    }
    if (!flow_group_has_room(net->flow, &net->flow->rules[object->id], &next)) {
        return AVPS_ADMIN_NO_SPACE;
    }
    flow_take(&in, next.key, next.key_len);
    flow_replace_rule(net->flow, object->id, &next);
    return AVPS_ADMIN_OK;
}

static void flow_get_rule(const struct avps_net_flow *flow, uint32_t id, struct avps_admin_out *out)
{
    const struct avps_net_ff_rule *rule = &flow->rules[id];
    const struct virtio_net_resource_obj_ff_rule wire = {
        .group_id = avps_le32_of(rule->group),
        .classifier_id = avps_le32_of(rule->classifier),
        .rule_priority = rule->priority,
        .key_length = rule->key_len,
        .action = rule->action,
        .vq_index = avps_le16_of(rule->queue),
    };

    flow_put(out, &wire, sizeof wire);
    flow_put(out, rule->key, rule->key_len);
}

/* [net-15.9] An id counts against both limits. */
static uint32_t flow_rule_limit(const struct avps_net_flow *flow)
{
    const struct avps_net_ff_limits *limits = &flow->limits;

    return limits->rules < limits->rules_per_group ? limits->rules : limits->rules_per_group;
}

/* ---- the commands on objects ---- */

/* One kind of object. `put` enters it under an id below the limit, or replaces it. */
struct flow_kind {
    uint16_t type;
    enum avps_admin_result (*put)(struct avps_net *net, const struct avps_admin_object *object);
    void (*get)(const struct avps_net_flow *flow, uint32_t id, struct avps_admin_out *out);
    uint32_t (*limit)(const struct avps_net_flow *flow);
};

static uint32_t flow_classifier_limit(const struct avps_net_flow *flow)
{
    return flow->limits.classifiers;
}

/* [net-15.2] In the order in which one needs the other. */
static const struct flow_kind flow_kinds[] = {
    {.type = VIRTIO_NET_RESOURCE_OBJ_FF_GROUP,
     .put = flow_put_group,
     .get = flow_get_group,
     .limit = flow_group_limit},
    {.type = VIRTIO_NET_RESOURCE_OBJ_FF_CLASSIFIER,
     .put = flow_put_classifier,
     .get = flow_get_classifier,
     .limit = flow_classifier_limit},
    {.type = VIRTIO_NET_RESOURCE_OBJ_FF_RULE,
     .put = flow_put_rule,
     .get = flow_get_rule,
     .limit = flow_rule_limit},
};

static const struct flow_kind *flow_kind_of(uint16_t type)
{
    for (size_t i = 0; i < AVPS_COUNT_OF(flow_kinds); i++) {
        if (flow_kinds[i].type == type) {
            return &flow_kinds[i];
        }
    }
    return NULL;
}

static bool flow_exists(const struct avps_net_flow *flow, uint16_t type, uint32_t id)
{
    switch (type) {
    case VIRTIO_NET_RESOURCE_OBJ_FF_GROUP:
        return id < AVPS_NET_FF_GROUPS && flow->groups[id].used;
    case VIRTIO_NET_RESOURCE_OBJ_FF_CLASSIFIER:
        return id < AVPS_NET_FF_CLASSIFIERS && flow->classifiers[id].used;
    default:
        return id < AVPS_NET_FF_RULES && flow->rules[id].used;
    }
}

/* [admin-res-1.4] [net-15.7] [net-15.8] Rules that stand on a group or a classifier. */
static bool flow_is_in_use(const struct avps_net_flow *flow, uint16_t type, uint32_t id)
{
    switch (type) {
    case VIRTIO_NET_RESOURCE_OBJ_FF_GROUP:
        return flow->groups[id].rules != 0U;
    case VIRTIO_NET_RESOURCE_OBJ_FF_CLASSIFIER:
        return flow->classifiers[id].rules != 0U;
    default:
        return false;
    }
}

/* [net-15.3] What every command on an object checks first. [admin-res-1.2] */
static enum avps_admin_result flow_check(const struct avps_net_flow *flow, uint16_t type,
                                         uint32_t id, bool exists)
{
    if (!flow_is_enabled(flow)) {
        return AVPS_ADMIN_BAD_OPCODE;
    }
    if (flow_kind_of(type) == NULL) {
        return AVPS_ADMIN_NO_SUCH;
    }
    if (flow_exists(flow, type, id) != exists) {
        return exists ? AVPS_ADMIN_NO_SUCH : AVPS_ADMIN_EXISTS; /* [admin-res-1.1] */
    }
    return AVPS_ADMIN_OK;
}

/* [admin-res-1.3] [admin-res-1.6] [admin-res-1.8] [net-15.5] [net-15.6] Any id below the limit. */
static enum avps_admin_result flow_create(struct avps_device *dev,
                                          const struct avps_admin_object *object)
{
    struct avps_net *net = net_of(dev);
    const enum avps_admin_result result = flow_check(net->flow, object->type, object->id, false);

    if (result != AVPS_ADMIN_OK) {
        return result;
    }
    const struct flow_kind *kind = flow_kind_of(object->type);
    return object->id < kind->limit(net->flow) ? kind->put(net, object) : AVPS_ADMIN_NO_SPACE;
}

/* [admin-res-1.4] [admin-res-1.9] */
static enum avps_admin_result flow_modify(struct avps_device *dev,
                                          const struct avps_admin_object *object)
{
    struct avps_net *net = net_of(dev);
    const enum avps_admin_result result = flow_check(net->flow, object->type, object->id, true);

    if (result != AVPS_ADMIN_OK) {
        return result;
    }
    if (flow_is_in_use(net->flow, object->type, object->id)) {
        return AVPS_ADMIN_BUSY;
    }
    const struct flow_kind *kind = flow_kind_of(object->type);
    return kind->put(net, object);
}

/* [admin-res-1.10] */
static enum avps_admin_result flow_query(const struct avps_device *dev, uint16_t type, uint32_t id,
                                         struct avps_admin_out *out)
{
    const struct avps_net_flow *flow = net_of_const(dev)->flow;
    const enum avps_admin_result result = flow_check(flow, type, id, true);

    if (result == AVPS_ADMIN_OK) {
        const struct flow_kind *kind = flow_kind_of(type);
        kind->get(flow, id, out);
    }
    return result;
}

/* [admin-res-1.5] The id is free again. */
static void flow_remove(struct avps_net_flow *flow, uint16_t type, uint32_t id)
{
    static const struct avps_net_ff_rule none = {.used = false};

    switch (type) {
    case VIRTIO_NET_RESOURCE_OBJ_FF_GROUP:
        flow->groups[id].used = false;
        break;
    case VIRTIO_NET_RESOURCE_OBJ_FF_CLASSIFIER:
        flow->classifiers[id].used = false;
        break;
    default:
        flow_replace_rule(flow, id, &none);
        break;
    }
}

static enum avps_admin_result flow_destroy(struct avps_device *dev, uint16_t type, uint32_t id)
{
    struct avps_net_flow *flow = net_of(dev)->flow;
    const enum avps_admin_result result = flow_check(flow, type, id, true);

    if (result != AVPS_ADMIN_OK) {
        return result;
    }
    if (flow_is_in_use(flow, type, id)) {
        return AVPS_ADMIN_BUSY;
    }
    flow_remove(flow, type, id);
    return AVPS_ADMIN_OK;
}

/* [net-15.1] */
const struct avps_admin_model *avps_net_flow_model(const struct avps_device *dev)
{
    static const uint16_t caps[] = {VIRTIO_NET_FF_RESOURCE_CAP, VIRTIO_NET_FF_SELECTOR_CAP,
                                    VIRTIO_NET_FF_ACTION_CAP};
    static const struct avps_admin_model model = {
        .caps = caps,
        .cap_count = AVPS_COUNT_OF(caps),
        .cap_get = flow_cap_get,
        .cap_set = flow_cap_set,
        .create = flow_create,
        .modify = flow_modify,
        .query = flow_query,
        .destroy = flow_destroy,
    };

    return net_of_const(dev)->flow != NULL ? &model : NULL;
}

/* [admin-caps-1.9] [admin-res-1.11] */
void avps_net_flow_reset(struct avps_net *net)
{
    if (net->flow != NULL) {
        (void)memset(net->flow, 0, sizeof *net->flow);
    }
}

/* ---- matching ---- */

/* A frame's private headers. */
struct flow_packet {
    uint8_t bytes[NET_PEEK_MAX];
    uint32_t len;
    struct net_headers headers;
};

/* IPv6: the field for the next header is that of the last extension header. */
static void flow_parse(struct flow_packet *packet, const struct net_peek *peek)
{
    packet->len = peek->len < NET_PEEK_MAX ? peek->len : NET_PEEK_MAX;
    avps_arch_copy_in(packet->bytes, peek->bytes, packet->len);
    const struct net_peek copy = {packet->bytes, packet->len};
    packet->headers = avps_net_headers(&copy);
    if (packet->headers.type == NET_ETH_IPV6) {
        packet->bytes[NET_ETH_HEADER + 6U] = packet->headers.last;
    }
}

/* Where the header of a selector begins; FLOW_NONE: the frame has none of this kind. */
static uint32_t flow_place(const struct flow_packet *packet, uint8_t type)
{
    const struct net_headers *headers = &packet->headers;

    switch (type) {
    case VIRTIO_NET_FF_MASK_TYPE_ETH:
        return 0;
    case VIRTIO_NET_FF_MASK_TYPE_IPV4:
        return headers->type == NET_ETH_IPV4 ? NET_ETH_HEADER : FLOW_NONE;
    case VIRTIO_NET_FF_MASK_TYPE_IPV6:
        return headers->type == NET_ETH_IPV6 ? NET_ETH_HEADER : FLOW_NONE;
    case VIRTIO_NET_FF_MASK_TYPE_TCP:
        return headers->proto == NET_PROTO_TCP ? headers->payload : FLOW_NONE;
    case VIRTIO_NET_FF_MASK_TYPE_UDP:
        return headers->proto == NET_PROTO_UDP ? headers->payload : FLOW_NONE;
    default:
        return headers->proto == NET_PROTO_ESP ? headers->payload : FLOW_NONE;
    }
}

static bool flow_bytes_match(const uint8_t *bytes, const uint8_t *key, const uint8_t *mask,
                             uint32_t len)
{
    uint8_t differ = 0;

    for (uint32_t i = 0; i < len; i++) {
        differ |= (uint8_t)((bytes[i] ^ key[i]) & mask[i]);
    }
    return differ == 0U;
}

static bool flow_matches(const struct flow_packet *packet, const struct avps_net_ff_rule *rule,
                         const struct avps_net_ff_classifier *classifier)
{
    uint32_t done = 0;

    for (uint8_t i = 0; i < classifier->count; i++) {
        const uint32_t at = flow_place(packet, classifier->types[i]);
        const uint32_t len = flow_length(classifier->types[i]);

        if (at > packet->len || len > packet->len - at ||
            !flow_bytes_match(packet->bytes + at, rule->key + done, classifier->mask + done, len)) {
            return false;
        }
        done += len;
    }
    return true;
}

/* [net-15.11] [net-15.13] [net-15.14] [net-15.16] The first rule that matches, and no other. */
enum net_flow_verdict avps_net_flow_apply(const struct avps_net *net, const struct net_peek *peek,
                                          uint16_t *pair)
{
    const struct avps_net_flow *flow = net->flow;
    struct flow_packet packet;

    flow_parse(&packet, peek);
    for (uint16_t i = 0; i < flow->order_count; i++) {
        const struct avps_net_ff_rule *rule = &flow->rules[flow->order[i]];

        if (flow_matches(&packet, rule, &flow->classifiers[rule->classifier])) {
            *pair = (uint16_t)(rule->queue / 2U);
            return rule->action == VIRTIO_NET_FF_ACTION_DROP ? NET_FLOW_DROP : NET_FLOW_DIRECT;
        }
    }
    return NET_FLOW_NONE;
}

/* ---- saved state ---- */

/* Capabilities, then objects as the bytes of the commands that made them. */
static void flow_save_caps(const struct avps_net_flow *flow, struct avps_state *state)
{
    const struct avps_net_ff_limits *limits = &flow->limits;

    avps_state_put_int(state, limits->groups, 4);
    avps_state_put_int(state, limits->classifiers, 4);
    avps_state_put_int(state, limits->rules, 4);
    avps_state_put_int(state, limits->rules_per_group, 4);
    avps_state_put_int(state, limits->last_priority, 1);
    avps_state_put_int(state, limits->selectors, 1);
    avps_state_put_int(state, 0, 2); /* as on the wire */
    avps_state_put_int(state, flow->actions, 1);
    for (uint8_t type = 1; type < AVPS_NET_FF_TYPES; type++) {
        const struct avps_net_ff_selector *cap = &flow->selectors[type];

        avps_state_put_int(state, cap->length, 1);
        avps_state_put_int(state, cap->flags, 1);
        avps_state_put(state, cap->mask, sizeof cap->mask);
    }
}

/* Every id below the limit; a length of 0: no object. */
static void flow_save_kind(const struct avps_net_flow *flow, const struct flow_kind *kind,
                           struct avps_state *state)
{
    const uint32_t limit = kind->limit(flow);

    for (uint32_t id = 0; id < limit; id++) {
        uint8_t bytes[AVPS_ADMIN_DATA_MAX];
        struct avps_admin_out out = {bytes, 0};

        if (flow_exists(flow, kind->type, id)) {
            kind->get(flow, id, &out);
        }
        avps_state_put_int(state, out.len, 2);
        avps_state_put(state, out.bytes, out.len);
    }
}

void avps_net_flow_save(const struct avps_net *net, struct avps_state *state)
{
    if (net->flow == NULL) {
        return;
    }
    flow_save_caps(net->flow, state);
    for (size_t kind = 0; kind < AVPS_COUNT_OF(flow_kinds); kind++) {
        flow_save_kind(net->flow, &flow_kinds[kind], state);
    }
}

static void flow_load_selectors(struct avps_net_flow *flow, struct avps_state *state)
{
    for (uint8_t type = 1; type < AVPS_NET_FF_TYPES; type++) {
        struct avps_net_ff_selector *cap = &flow->selectors[type];

        cap->length = (uint8_t)avps_state_get_int(state, 1);
        cap->flags = (uint8_t)avps_state_get_int(state, 1);
        avps_state_get(state, cap->mask, sizeof cap->mask);
        state->failed = state->failed || (cap->length != 0U && cap->length != flow_length(type)) ||
                        (cap->flags & ~VIRTIO_NET_FF_MASK_F_PARTIAL_MASK) != 0U;
    }
}

static void flow_load_caps(struct avps_net_flow *flow, struct avps_state *state)
{
    uint8_t wire[sizeof(struct virtio_net_ff_cap_data)];

    avps_state_get(state, wire, sizeof wire);
    struct avps_state in = {.in = wire, .size = sizeof wire};
    const bool good = flow_set_resources(flow, &in) == AVPS_ADMIN_OK;

    flow->actions = (uint8_t)avps_state_get_int(state, 1);
    state->failed = state->failed || !good || (flow->actions & ~FLOW_ACTIONS) != 0U;
    flow_load_selectors(flow, state);
}

/* One object, or the place of one. */
static void flow_load_object(struct avps_net *net, const struct flow_kind *kind, uint32_t id,
                             struct avps_state *state)
{
    uint8_t bytes[AVPS_ADMIN_DATA_MAX] = {0};
    const uint32_t len = (uint32_t)avps_state_get_int(state, 2);

    if (len > sizeof bytes) {
        state->failed = true;
        return;
    }
    avps_state_get(state, bytes, len);
    const struct avps_admin_object object = {
        .type = kind->type, .id = id, .bytes = bytes, .len = len, .room = sizeof bytes};
    if (!state->failed && len != 0U) {
        state->failed = flow_create(&net->base, &object) != AVPS_ADMIN_OK;
    }
}

/* Every id below the limit. */
static void flow_load_kind(struct avps_net *net, const struct flow_kind *kind,
                           struct avps_state *state)
{
    const uint32_t limit = kind->limit(net->flow);

    for (uint32_t id = 0; id < limit && !state->failed; id++) {
        flow_load_object(net, kind, id, state);
    }
}

/* Made again by the commands' own functions (I28). */
void avps_net_flow_load(struct avps_net *net, struct avps_state *state)
{
    if (net->flow == NULL) {
        return;
    }
    flow_load_caps(net->flow, state);
    for (size_t i = 0; i < AVPS_COUNT_OF(flow_kinds) && !state->failed; i++) {
        flow_load_kind(net, &flow_kinds[i], state);
    }
}
