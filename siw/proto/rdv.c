// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Rendezvous frames (Documentation/qp-rendezvous.rst).
 */
#include "rdv.h"

int rdv_compare(const struct rdv_id *a, const struct rdv_id *b)
{
	int cmp = memcmp(a->gid, b->gid, RDV_GID_LEN);

	if (cmp)
		return cmp;
	if (a->qpn == b->qpn)
		return 0;
	return a->qpn < b->qpn ? -1 : 1;
}

enum rdv_role rdv_role(const struct rdv_id *own, const struct rdv_id *peer)
{
	int cmp = rdv_compare(own, peer);

	if (!cmp)
		return RDV_SELF;
	return cmp < 0 ? RDV_ACTIVE : RDV_PASSIVE;
}

void rdv_encode(void *buf, const struct rdv_hello *hello)
{
	struct rdv_frame *f = buf;

	memset(f, 0, sizeof(*f));
	f->magic = cpu_to_be32(RDV_MAGIC);
	f->version = RDV_VERSION;
	f->caps = cpu_to_be32(hello->caps);
	f->src_qpn = cpu_to_be32(hello->src.qpn);
	f->dst_qpn = cpu_to_be32(hello->dst.qpn);
	memcpy(f->src_gid, hello->src.gid, RDV_GID_LEN);
	memcpy(f->dst_gid, hello->dst.gid, RDV_GID_LEN);
}

bool rdv_decode(const void *buf, size_t len, struct rdv_hello *hello)
{
	const struct rdv_frame *f = buf;

	if (len < sizeof(*f) || be32_to_cpu(f->magic) != RDV_MAGIC ||
	    f->version != RDV_VERSION || f->flags)
		return false;
	hello->caps = be32_to_cpu(f->caps);
	hello->src.qpn = be32_to_cpu(f->src_qpn);
	hello->dst.qpn = be32_to_cpu(f->dst_qpn);
	memcpy(hello->src.gid, f->src_gid, RDV_GID_LEN);
	memcpy(hello->dst.gid, f->dst_gid, RDV_GID_LEN);
	return hello->src.qpn <= RDV_QPN_MAX && hello->dst.qpn <= RDV_QPN_MAX;
}
