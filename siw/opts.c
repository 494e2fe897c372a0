// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Settings as words: one parser and one printer for each, shared by module
 * parameters and the attributes of a device.
 */
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <rdma/iw_cm.h>
#include "device.h"
#include "opts.h"
#include "poll.h"

/* A connection that hangs longer than this is better ended. */
#define SIW_WAIT_MAX		60000
/*
 * Not assigned to anybody, and below 1024: no program without privileges can
 * take the place of the kernel.
 */
#define SIW_RDV_PORT		721
/* A wait that is longer is better ended, too. */
#define SIW_RDV_TIMEOUT		60
#define SIW_RDV_TIMEOUT_MAX	3600
#define SIW_PEER_TIMEOUT	30
#define SIW_PEER_TIMEOUT_MAX	3600

static struct siw_dev_opts siw_opts_new = {
	.crc = SIW_CRC_ON,
	.rtr = SIW_RTR_WRITE,
	.p2p = true,
	.mpa_rev = 2,
	.rnr_wait = 1000,
	.rdv_port = SIW_RDV_PORT,
	.rdv_timeout = SIW_RDV_TIMEOUT,
	.peer_timeout = SIW_PEER_TIMEOUT,
};

static const char * const siw_crc_words[] = {
	[SIW_CRC_ON] = "on",
	[SIW_CRC_OFF] = "off",
};

static const char * const siw_rtr_words[] = {
	[SIW_RTR_WRITE] = "write",
	[SIW_RTR_READ] = "read",
	[SIW_RTR_SEND] = "send",
};

static int siw_crc_set(struct siw_dev_opts *opts, const char *val)
{
	bool on;
	int err;

	/* takes on/off, y/n, 1/0 */
	err = kstrtobool(val, &on);
	if (!err)
		WRITE_ONCE(opts->crc, on ? SIW_CRC_ON : SIW_CRC_OFF);
	return err;
}

static int siw_crc_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%s\n", siw_crc_words[READ_ONCE(opts->crc)]);
}

static int siw_markers_set(struct siw_dev_opts *opts, const char *val)
{
	return kstrtobool(val, &opts->markers);
}

static int siw_markers_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%s\n", READ_ONCE(opts->markers) ? "on" : "off");
}

static int siw_p2p_set(struct siw_dev_opts *opts, const char *val)
{
	return kstrtobool(val, &opts->p2p);
}

static int siw_p2p_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%s\n", READ_ONCE(opts->p2p) ? "on" : "off");
}

static int siw_rtr_set(struct siw_dev_opts *opts, const char *val)
{
	int i = sysfs_match_string(siw_rtr_words, val);

	if (i < 0)
		return i;
	WRITE_ONCE(opts->rtr, i);
	return 0;
}

static int siw_rtr_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%s\n", siw_rtr_words[READ_ONCE(opts->rtr)]);
}

static int siw_mpa_rev_set(struct siw_dev_opts *opts, const char *val)
{
	u8 rev;
	int err;

	err = kstrtou8(val, 10, &rev);
	if (err)
		return err;
	if (rev != 1 && rev != 2)
		return -EINVAL;
	WRITE_ONCE(opts->mpa_rev, rev);
	return 0;
}

static int siw_mpa_rev_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(opts->mpa_rev));
}

static int siw_u16_set(u16 *opt, const char *val, u16 min, u16 max)
{
	u16 n;
	int err;

	err = kstrtou16(val, 10, &n);
	if (err)
		return err;
	if (n < min || n > max)
		return -EINVAL;
	WRITE_ONCE(*opt, n);
	return 0;
}

static int siw_server_first_set(struct siw_dev_opts *opts, const char *val)
{
	return siw_u16_set(&opts->server_first, val, 0, SIW_WAIT_MAX);
}

static int siw_server_first_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(opts->server_first));
}

static int siw_rnr_wait_set(struct siw_dev_opts *opts, const char *val)
{
	return siw_u16_set(&opts->rnr_wait, val, 0, SIW_WAIT_MAX);
}

static int siw_rnr_wait_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(opts->rnr_wait));
}

static int siw_rdv_port_set(struct siw_dev_opts *opts, const char *val)
{
	return siw_u16_set(&opts->rdv_port, val, 0, U16_MAX);
}

static int siw_rdv_port_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(opts->rdv_port));
}

static int siw_rdv_timeout_set(struct siw_dev_opts *opts, const char *val)
{
	return siw_u16_set(&opts->rdv_timeout, val, 1, SIW_RDV_TIMEOUT_MAX);
}

static int siw_rdv_timeout_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(opts->rdv_timeout));
}

static int siw_peer_timeout_set(struct siw_dev_opts *opts, const char *val)
{
	return siw_u16_set(&opts->peer_timeout, val, 1, SIW_PEER_TIMEOUT_MAX);
}

static int siw_peer_timeout_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(opts->peer_timeout));
}

static int siw_zero_copy_set(struct siw_dev_opts *opts, const char *val)
{
	u32 n;
	int err;

	err = kstrtou32(val, 10, &n);
	if (!err)
		WRITE_ONCE(opts->zero_copy, n);
	return err;
}

static int siw_zero_copy_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(opts->zero_copy));
}

static int siw_port_map_set(struct siw_dev_opts *opts, const char *val)
{
	bool on;
	int err = kstrtobool(val, &on);

	if (!err)
		WRITE_ONCE(opts->port_map, on);
	return err;
}

static int siw_port_map_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%s\n", READ_ONCE(opts->port_map) ? "on" : "off");
}

static int siw_sq_poll_set(struct siw_dev_opts *opts, const char *val)
{
	u32 us;
	int err;

	err = kstrtou32(val, 10, &us);
	if (err)
		return err;
	if (us > SIW_POLL_MAX)
		return -EINVAL;
	WRITE_ONCE(opts->sq_poll, us);
	return 0;
}

static int siw_sq_poll_get(const struct siw_dev_opts *opts, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(opts->sq_poll));
}

/*
 * One setting: a module parameter for new devices and an attribute of each
 * device. Both come as NUL-terminated text, perhaps with a newline.
 */
#define SIW_OPT(_name)							\
static int siw_param_set_##_name(const char *val,			\
				 const struct kernel_param *kp)		\
{									\
	return siw_##_name##_set(kp->arg, val);				\
}									\
									\
static int siw_param_get_##_name(char *buf,				\
				 const struct kernel_param *kp)		\
{									\
	return siw_##_name##_get(kp->arg, buf);				\
}									\
									\
static const struct kernel_param_ops siw_param_ops_##_name = {		\
	.set = siw_param_set_##_name,					\
	.get = siw_param_get_##_name,					\
};									\
									\
static ssize_t _name##_show(struct device *dev,				\
			    struct device_attribute *attr, char *buf)	\
{									\
	struct siw_device *sdev =					\
		rdma_device_to_drv_device(dev, struct siw_device, base);\
									\
	return siw_##_name##_get(&sdev->opts, buf);			\
}									\
									\
static ssize_t _name##_store(struct device *dev,			\
			     struct device_attribute *attr,		\
			     const char *buf, size_t len)		\
{									\
	struct siw_device *sdev =					\
		rdma_device_to_drv_device(dev, struct siw_device, base);\
	int err;							\
									\
	err = siw_##_name##_set(&sdev->opts, buf);			\
	if (err)							\
		return err;						\
	siw_opts_apply(sdev);						\
	return len;							\
}

SIW_OPT(crc)
module_param_cb(crc, &siw_param_ops_crc, &siw_opts_new, 0644);
MODULE_PARM_DESC(crc, "CRC: on (default), or off where the peer agrees");
static DEVICE_ATTR_RW(crc);

SIW_OPT(markers)
module_param_cb(markers, &siw_param_ops_markers, &siw_opts_new, 0644);
MODULE_PARM_DESC(markers, "ask the peer for MPA markers (default: off)");
static DEVICE_ATTR_RW(markers);

SIW_OPT(p2p)
module_param_cb(p2p, &siw_param_ops_p2p, &siw_opts_new, 0644);
MODULE_PARM_DESC(p2p, "offer peer-to-peer startup when connecting (default: on)");
static DEVICE_ATTR_RW(p2p);

SIW_OPT(rtr)
module_param_cb(rtr, &siw_param_ops_rtr, &siw_opts_new, 0644);
MODULE_PARM_DESC(rtr, "ready-to-receive message preferred: write (default), read, send");
static DEVICE_ATTR_RW(rtr);

SIW_OPT(mpa_rev)
module_param_cb(mpa_rev, &siw_param_ops_mpa_rev, &siw_opts_new, 0644);
MODULE_PARM_DESC(mpa_rev, "highest MPA revision to speak: 1 or 2 (default)");
static DEVICE_ATTR_RW(mpa_rev);

SIW_OPT(server_first)
module_param_cb(server_first, &siw_param_ops_server_first, &siw_opts_new,
		0644);
MODULE_PARM_DESC(server_first, "ms after which an accepting side sends first all the same (default 0: never)");
static DEVICE_ATTR_RW(server_first);

SIW_OPT(rnr_wait)
module_param_cb(rnr_wait, &siw_param_ops_rnr_wait, &siw_opts_new, 0644);
MODULE_PARM_DESC(rnr_wait, "ms to wait for a receive to be posted (default: 1000, 0: error at once)");
static DEVICE_ATTR_RW(rnr_wait);

SIW_OPT(rdv_port)
module_param_cb(rdv_port, &siw_param_ops_rdv_port, &siw_opts_new, 0644);
MODULE_PARM_DESC(rdv_port, "TCP port to connect QPs without rdma_cm (default: 721, 0: off)");
static DEVICE_ATTR_RW(rdv_port);

SIW_OPT(rdv_timeout)
module_param_cb(rdv_timeout, &siw_param_ops_rdv_timeout, &siw_opts_new, 0644);
MODULE_PARM_DESC(rdv_timeout, "seconds a QP waits for its peer without rdma_cm (default: 60)");
static DEVICE_ATTR_RW(rdv_timeout);

SIW_OPT(peer_timeout)
module_param_cb(peer_timeout, &siw_param_ops_peer_timeout, &siw_opts_new,
		0644);
MODULE_PARM_DESC(peer_timeout, "seconds a peer may be silent before it is dead (default: 30)");
static DEVICE_ATTR_RW(peer_timeout);

SIW_OPT(zero_copy)
module_param_cb(zero_copy, &siw_param_ops_zero_copy, &siw_opts_new, 0644);
MODULE_PARM_DESC(zero_copy, "least octets of a message sent by reference (default: 0, none)");
static DEVICE_ATTR_RW(zero_copy);

SIW_OPT(port_map)
module_param_cb(port_map, &siw_param_ops_port_map, &siw_opts_new, 0644);
MODULE_PARM_DESC(port_map, "let the port mapper iwpmd choose TCP ports (default: off)");
static DEVICE_ATTR_RW(port_map);

SIW_OPT(sq_poll)
module_param_cb(sq_poll, &siw_param_ops_sq_poll, &siw_opts_new, 0644);
MODULE_PARM_DESC(sq_poll, "us that a thread may look at a process's send queues in vain (default 0: no such threads)");
static DEVICE_ATTR_RW(sq_poll);

static struct attribute *siw_opts_attrs[] = {
	&dev_attr_crc.attr,
	&dev_attr_markers.attr,
	&dev_attr_p2p.attr,
	&dev_attr_rtr.attr,
	&dev_attr_mpa_rev.attr,
	&dev_attr_server_first.attr,
	&dev_attr_rnr_wait.attr,
	&dev_attr_rdv_port.attr,
	&dev_attr_rdv_timeout.attr,
	&dev_attr_peer_timeout.attr,
	&dev_attr_zero_copy.attr,
	&dev_attr_port_map.attr,
	&dev_attr_sq_poll.attr,
	NULL
};

const struct attribute_group siw_opts_group = {
	.name = "siw",
	.attrs = siw_opts_attrs,
};

/**
 * siw_opts_default() - settings for a device that is being created
 * @opts: filled in from the module parameters
 *
 * Context: process.
 */
void siw_opts_default(struct siw_dev_opts *opts)
{
	opts->crc = READ_ONCE(siw_opts_new.crc);
	opts->rtr = READ_ONCE(siw_opts_new.rtr);
	opts->markers = READ_ONCE(siw_opts_new.markers);
	opts->p2p = READ_ONCE(siw_opts_new.p2p);
	opts->mpa_rev = READ_ONCE(siw_opts_new.mpa_rev);
	opts->server_first = READ_ONCE(siw_opts_new.server_first);
	opts->rnr_wait = READ_ONCE(siw_opts_new.rnr_wait);
	opts->rdv_port = READ_ONCE(siw_opts_new.rdv_port);
	opts->rdv_timeout = READ_ONCE(siw_opts_new.rdv_timeout);
	opts->peer_timeout = READ_ONCE(siw_opts_new.peer_timeout);
	opts->zero_copy = READ_ONCE(siw_opts_new.zero_copy);
	opts->port_map = READ_ONCE(siw_opts_new.port_map);
	opts->sq_poll = READ_ONCE(siw_opts_new.sq_poll);
}

/**
 * siw_opts_apply() - tell the RDMA core of the settings it needs to know
 * @sdev: device, perhaps not registered yet
 *
 * iw_cm reads the flag once a connection or listener, when it begins.
 *
 * Context: any.
 */
void siw_opts_apply(struct siw_device *sdev)
{
	WRITE_ONCE(sdev->base.iw_driver_flags,
		   READ_ONCE(sdev->opts.port_map) ? 0 : IW_F_NO_PORT_MAP);
}
