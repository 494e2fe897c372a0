// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Details for `rdma resource show ... -dd`.
 */
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <rdma/restrack.h>
#include <uapi/rdma/rdma_netlink.h>
#include "cq.h"
#include "llp.h"
#include "mr.h"
#include "qp.h"
#include "restrack.h"
#include "srq.h"

/* Longest "[v6 address%scope]:port" */
#define SIW_ADDR_LEN	72
/* Code and name of a Terminate */
#define SIW_TERM_LEN	72

static struct nlattr *siw_res_begin(struct sk_buff *msg)
{
	return nla_nest_start(msg, RDMA_NLDEV_ATTR_DRIVER);
}

/* Ends the list of details, or takes it back where one found no room. */
static int siw_res_end(struct sk_buff *msg, struct nlattr *nest, int err)
{
	if (err) {
		nla_nest_cancel(msg, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(msg, nest);
	return 0;
}

static int siw_put_addr(struct sk_buff *msg, const char *name,
			const struct sockaddr_storage *addr)
{
	char buf[SIW_ADDR_LEN];

	scnprintf(buf, sizeof(buf), "%pISpc", addr);
	return rdma_nl_put_driver_string(msg, name, buf);
}

static int siw_put_conn(struct sk_buff *msg, struct siw_qp *qp)
{
	struct sockaddr_storage addr;

	siw_llp_local_addr(qp->llp, &addr);
	if (siw_put_addr(msg, "local", &addr))
		return -EMSGSIZE;
	siw_llp_remote_addr(qp->llp, &addr);
	if (siw_put_addr(msg, "peer", &addr) ||
	    rdma_nl_put_driver_u32(msg, "crc", qp->conn.crc) ||
	    rdma_nl_put_driver_u32(msg, "tx_markers", qp->conn.tx_markers) ||
	    rdma_nl_put_driver_u32(msg, "rx_markers", qp->conn.rx_markers) ||
	    rdma_nl_put_driver_u32(msg, "ird", qp->conn.ird) ||
	    rdma_nl_put_driver_u32(msg, "ord", qp->conn.ord) ||
	    rdma_nl_put_driver_u32(msg, "emss", siw_llp_emss(qp->llp)) ||
	    rdma_nl_put_driver_u32(msg, "tx_chunks", READ_ONCE(qp->tx.buf.num)))
		return -EMSGSIZE;
	return 0;
}

/* A Terminate, if there was one: its code, and its name for people. */
static int siw_put_term(struct sk_buff *msg, const char *name,
			const u8 raw[RDMAP_TERM_MIN])
{
	struct term_info info;
	char buf[SIW_TERM_LEN];

	if (!memchr_inv(raw, 0, RDMAP_TERM_MIN))
		return 0;
	term_decode(raw, RDMAP_TERM_MIN, &info);
	/* of what it quotes nothing is kept */
	info.truncated = false;
	term_describe(buf, sizeof(buf), &info);
	return rdma_nl_put_driver_string(msg, name, buf);
}

static int siw_put_peer(struct sk_buff *msg, struct siw_qp *qp)
{
	const struct rdv_id *peer = &qp->rdv.names.dst;
	char buf[SIW_ADDR_LEN];

	scnprintf(buf, sizeof(buf), "%pI6c", peer->gid);
	if (rdma_nl_put_driver_string(msg, "rendezvous",
				      siw_rdv_state_name(qp)) ||
	    rdma_nl_put_driver_string(msg, "peer_gid", buf) ||
	    rdma_nl_put_driver_u32(msg, "peer_qpn", peer->qpn))
		return -EMSGSIZE;
	return 0;
}

/**
 * siw_fill_res_qp() - verbs entry point: the connection of a QP
 * @msg: netlink message under construction
 * @base: queue pair
 *
 * Context: process.
 * Return: 0 or -EMSGSIZE.
 */
int siw_fill_res_qp(struct sk_buff *msg, struct ib_qp *base)
{
	struct siw_qp *qp = to_siw_qp(base);
	struct nlattr *nest = siw_res_begin(msg);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = rdma_nl_put_driver_u32(msg, "sq_size", qp->sq_size) ||
	      rdma_nl_put_driver_u32(msg, "rq_size", qp->rq_size) ||
	      (qp->poll.us &&
	       rdma_nl_put_driver_u32(msg, "sq_poll", qp->poll.us)) ||
	      rdma_nl_put_driver_string(msg, "error", iw_err_name(qp->error)) ||
	      siw_put_term(msg, "terminate_sent", qp->term_sent) ||
	      siw_put_term(msg, "terminate_received", qp->term_rcvd);
	if (mutex_lock_killable(&qp->mutex))
		return siw_res_end(msg, nest, -EINTR);
	if (!err && siw_rdv_named(qp))
		err = siw_put_peer(msg, qp);
	if (!err && qp->llp)
		err = siw_put_conn(msg, qp);
	mutex_unlock(&qp->mutex);
	return siw_res_end(msg, nest, err);
}

/**
 * siw_fill_res_cq() - verbs entry point: fill level of a CQ
 * @msg: netlink message under construction
 * @base: completion queue
 *
 * Context: process.
 * Return: 0 or -EMSGSIZE.
 */
int siw_fill_res_cq(struct sk_buff *msg, struct ib_cq *base)
{
	struct siw_cq *cq = to_siw_cq(base);
	struct nlattr *nest = siw_res_begin(msg);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = rdma_nl_put_driver_u32(msg, "size", cq->size) ||
	      rdma_nl_put_driver_u32(msg, "put", READ_ONCE(cq->put)) ||
	      rdma_nl_put_driver_u32(msg, "overrun", READ_ONCE(cq->overrun));
	return siw_res_end(msg, nest, err);
}

/**
 * siw_fill_res_mr() - verbs entry point: what an MR's STag allows
 * @msg: netlink message under construction
 * @base: memory region
 *
 * Anybody may ask. The STag, which peers must not guess, is the core's to show, to
 * administrators; so are addresses, which are the kernel's own for its regions.
 *
 * Context: process.
 * Return: 0 or -EMSGSIZE.
 */
int siw_fill_res_mr(struct sk_buff *msg, struct ib_mr *base)
{
	struct siw_mem *mem = to_siw_mr(base)->mem;
	struct nlattr *nest = siw_res_begin(msg);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = rdma_nl_put_driver_u32_hex(msg, "access",
					 READ_ONCE(mem->access)) ||
	      rdma_nl_put_driver_u32(msg, "valid", READ_ONCE(mem->valid)) ||
	      rdma_nl_put_driver_u32(msg, "pages", READ_ONCE(mem->num_pages));
	return siw_res_end(msg, nest, err);
}

/**
 * siw_fill_res_srq() - verbs entry point: state of an SRQ
 * @msg: netlink message under construction
 * @base: shared receive queue
 *
 * Context: process.
 * Return: 0 or -EMSGSIZE.
 */
int siw_fill_res_srq(struct sk_buff *msg, struct ib_srq *base)
{
	struct siw_srq *srq = to_siw_srq(base);
	struct nlattr *nest = siw_res_begin(msg);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = rdma_nl_put_driver_u32(msg, "size", srq->size) ||
	      rdma_nl_put_driver_u32(msg, "taken", READ_ONCE(srq->get)) ||
	      rdma_nl_put_driver_u32(msg, "limit", READ_ONCE(srq->limit));
	return siw_res_end(msg, nest, err);
}
