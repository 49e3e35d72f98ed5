/* SPDX-License-Identifier: BSD-3-Clause */
/* The requirements -> how single ones are judged -> the table of judges -> lists. */
#include "avps_common/platform_report.h"

#include "avps_requirements.h"
#include "features.h"
#include "line.h"

/* Which kinds this build has, '1' or '0' for each; set by the build. */
#ifndef AVPS_PLATFORM_BUILT
#define AVPS_PLATFORM_BUILT "111111"
#endif

struct report_row {
    const char *id;
    const char *section;
    const char *keyword;
    const char *text;
};

static const struct report_row report_rows[] = {REQUIREMENT_ROWS};

/* How a requirement is judged, and what about. */
struct report_judge {
    void (*judge)(const struct avps_platform_guest *guest, const struct report_judge *how,
                  struct avps_platform_finding *finding);
    enum avps_platform_kind kind; /* of device */
    const char *feature;          /* that it has to offer, or NULL */
    const char *reason;           /* why it is open or lacking */
};

/* ---- judges ---- */

static void report_offered(const struct avps_platform_guest *guest, const struct report_judge *how,
                           struct avps_platform_finding *finding)
{
    (void)guest;
    (void)how;
    finding->verdict = AVPS_PLATFORM_OFFERED;
}

static void report_silent(const struct avps_platform_guest *guest, const struct report_judge *how,
                          struct avps_platform_finding *finding)
{
    (void)guest;
    (void)how;
    finding->verdict = AVPS_PLATFORM_SILENT;
}

static void report_open(const struct avps_platform_guest *guest, const struct report_judge *how,
                        struct avps_platform_finding *finding)
{
    (void)guest;
    finding->verdict = AVPS_PLATFORM_OPEN;
    finding->reason = how->reason;
}

static void report_lacks(struct avps_platform_finding *finding, const char *device,
                         const char *reason)
{
    finding->verdict = AVPS_PLATFORM_LACKS;
    finding->device = device;
    finding->reason = reason;
}

/* Discarding and zeroing are asked of disks that can be written. */
static bool report_is_asked(const struct avps_platform_device *device, const char *feature)
{
    return !(device->kind == AVPS_PLATFORM_BLK && device->blk.read_only &&
             (line_same(feature, "discard") || line_same(feature, "write-zeroes")));
}

/* Whether a device withholds what is asked of it. */
static bool report_withholds(const struct avps_platform_device *device,
                             const struct report_judge *how)
{
    return how->feature != NULL && report_is_asked(device, how->feature) &&
           avps_features_has(&device->withhold,
                             features_find(features_of(how->kind), how->feature)->bit);
}

/* A device of the kind, with the feature if there is one to offer. */
static void report_device(const struct avps_platform_device *device, const struct report_judge *how,
                          struct avps_platform_finding *finding)
{
    if (AVPS_PLATFORM_BUILT[how->kind] == '0') {
        report_lacks(finding, device->name, "this build has no such device");
    } else if (report_withholds(device, how)) {
        report_lacks(finding, device->name, how->reason);
    } else {
        finding->verdict = AVPS_PLATFORM_OFFERED;
    }
}

/* All devices of the kind; without one it does not bind. The first that fails is named. */
static void report_if(const struct avps_platform_guest *guest, const struct report_judge *how,
                      struct avps_platform_finding *finding)
{
    finding->verdict = AVPS_PLATFORM_SILENT;
    for (uint32_t i = 0; i < guest->device_count; i++) {
        if (guest->devices[i].kind == how->kind && finding->verdict != AVPS_PLATFORM_LACKS) {
            report_device(&guest->devices[i], how, finding);
        }
    }
}

/* The same, and there has to be one. */
static void report_must(const struct avps_platform_guest *guest, const struct report_judge *how,
                        struct avps_platform_finding *finding)
{
    report_if(guest, how, finding);
    if (finding->verdict == AVPS_PLATFORM_SILENT) {
        report_lacks(finding, NULL, how->reason);
    }
}

/* What the guest may call itself is limited. */
static void report_macs(const struct avps_platform_guest *guest, const struct report_judge *how,
                        struct avps_platform_finding *finding)
{
    report_if(guest, how, finding);
    for (uint32_t i = 0; i < guest->device_count; i++) {
        const struct avps_platform_device *device = &guest->devices[i];

        if (device->kind == AVPS_PLATFORM_NET && device->net.mac_any &&
            finding->verdict == AVPS_PLATFORM_OFFERED) {
            report_lacks(finding, device->name, how->reason);
        }
    }
}

/* ---- the table ---- */

#define BLK AVPS_PLATFORM_BLK
#define NET AVPS_PLATFORM_NET
#define CON AVPS_PLATFORM_CONSOLE
#define RNG AVPS_PLATFORM_RNG
#define VSK AVPS_PLATFORM_VSOCK

static const struct report_judge report_judges[REQUIREMENTS] = {
    [REQUIREMENT_CONF_1] = {report_silent, BLK, NULL, NULL}, /* follows from the others */
    [REQUIREMENT_CONF_2] = {report_silent, BLK, NULL, NULL},
    [REQUIREMENT_CONF_3] = {report_silent, BLK, NULL, NULL},
    [REQUIREMENT_BOOT_1] = {report_open, BLK, NULL, "boot firmware is not part of the library"},
    [REQUIREMENT_BOOT_2] = {report_offered, BLK, NULL, NULL},
    [REQUIREMENT_BOOT_3] = {report_offered, BLK, NULL, NULL},
    [REQUIREMENT_BLK_1] = {report_if, BLK, NULL, NULL},
    [REQUIREMENT_BLK_2] = {report_if, BLK, "flush", "flush is left out"},
    [REQUIREMENT_BLK_3] = {report_if, BLK, "config-wce", "config-wce is left out"},
    [REQUIREMENT_BLK_4] = {report_if, BLK, "discard", "discard is left out"},
    [REQUIREMENT_BLK_5] = {report_if, BLK, "write-zeroes", "write-zeroes is left out"},
    [REQUIREMENT_NET_1] = {report_if, NET, NULL, NULL},
    [REQUIREMENT_NET_2] = {report_if, NET, NULL, NULL},
    [REQUIREMENT_NET_3] = {report_open, NET, NULL, "hardware is handed out by the hypervisor"},
    [REQUIREMENT_NET_4] = {report_if, NET, NULL, NULL},
    [REQUIREMENT_NET_5] = {report_if, NET, "mtu", "mtu is left out"},
    [REQUIREMENT_NET_6] = {report_if, NET, "mac", "mac is left out"},
    [REQUIREMENT_NET_7] = {report_if, NET, "ctrl-mac-addr", "ctrl-mac-addr is left out"},
    [REQUIREMENT_NET_8] = {report_macs, NET, NULL, "any source address is allowed"},
    [REQUIREMENT_RNG_1] = {report_must, RNG, NULL, "there is no source of entropy"},
    [REQUIREMENT_RNG_2] = {report_must, RNG, NULL, "there is no entropy device"},
    [REQUIREMENT_RNG_3] = {report_open, RNG, NULL, "rests with the source that is connected"},
    [REQUIREMENT_RNG_4] = {report_open, RNG, NULL, "rests with the source that is connected"},
    [REQUIREMENT_CON_1] = {report_if, CON, NULL, NULL},
    [REQUIREMENT_VSK_1] = {report_if, VSK, NULL, NULL},
};

uint32_t avps_platform_requirements(void)
{
    return REQUIREMENTS;
}

/* One requirement by itself. */
static void report_one(const struct avps_platform_guest *guest, uint32_t index,
                       struct avps_platform_finding *finding)
{
    const struct report_row *row = &report_rows[index];
    const struct report_judge *how = &report_judges[index];

    *finding = (struct avps_platform_finding){
        .id = row->id, .section = row->section, .keyword = row->keyword, .text = row->text};
    if (how->judge != NULL) {
        how->judge(guest, how, finding);
    } else {
        report_lacks(finding, NULL, "nobody has judged it");
    }
}

bool avps_platform_conforms(const struct avps_platform_guest *guest)
{
    bool conforms = true;

    for (uint32_t i = 0; i < REQUIREMENTS; i++) {
        struct avps_platform_finding finding;

        report_one(guest, i, &finding);
        if (finding.verdict == AVPS_PLATFORM_LACKS) {
            conforms = conforms && !line_same(finding.keyword, "MUST") &&
                       !line_same(finding.keyword, "SHALL");
        }
    }
    return conforms;
}

void avps_platform_judge(const struct avps_platform_guest *guest, uint32_t index,
                         struct avps_platform_finding *finding)
{
    report_one(guest, index, finding);
    if (index == (uint32_t)REQUIREMENT_CONF_1) {
        finding->verdict = AVPS_PLATFORM_OPEN;
        finding->reason = "holds where the mandatory ones that are open are met";
        if (!avps_platform_conforms(guest)) {
            report_lacks(finding, NULL, "a mandatory requirement is not met");
        }
    }
}

/* ---- lists ---- */

/* Where the number of an id begins: "BLK-4" -> "4". */
static const char *report_number(const char *id)
{
    while (*id != '-') {
        id++;
    }
    return id + 1;
}

/* Requirement `index` continues a run: same section, and the one before has the same verdict. */
static bool report_continues(const struct avps_platform_guest *guest, uint32_t index,
                             enum avps_platform_verdict verdict)
{
    struct avps_platform_finding finding;

    if (index == 0U || index >= (uint32_t)REQUIREMENTS ||
        !line_same(report_rows[index].section, report_rows[index - 1U].section)) {
        return false;
    }
    avps_platform_judge(guest, index, &finding);
    if (finding.verdict != verdict) {
        return false;
    }
    avps_platform_judge(guest, index - 1U, &finding);
    return finding.verdict == verdict;
}

/* From requirement `first` on, as far as the run goes. @return the one behind it. */
static uint32_t report_run(const struct avps_platform_guest *guest, uint32_t first,
                           enum avps_platform_verdict verdict, struct line *line)
{
    uint32_t next = first + 1U;

    line_text(line, report_rows[first].id);
    while (report_continues(guest, next, verdict)) {
        next++;
    }
    if (next - first > 1U) {
        line_text(line, "..");
        line_text(line, report_number(report_rows[next - 1U].id));
    }
    return next;
}

void avps_platform_list(const struct avps_platform_guest *guest, enum avps_platform_verdict verdict,
                        char *text, size_t size)
{
    const char *section = NULL;
    struct line line;
    uint32_t next = 0;

    line_begin(&line, text, size);
    while (next < (uint32_t)REQUIREMENTS) {
        struct avps_platform_finding finding;

        avps_platform_judge(guest, next, &finding);
        if (finding.verdict != verdict) {
            next++;
            continue;
        }
        if (section == NULL || !line_same(section, finding.section)) {
            line_text(&line, section == NULL ? "" : "; ");
            line_text(&line, finding.section);
            line_text(&line, " ");
        } else {
            line_text(&line, ", ");
        }
        section = finding.section;
        next = report_run(guest, next, verdict, &line);
    }
    if (section == NULL) {
        line_text(&line, "nothing");
    }
}
